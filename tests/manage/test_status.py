# SPDX-License-Identifier: Apache-2.0
"""s3gateway-manage status and config, beside a Glance that is at work."""

from __future__ import annotations

import datetime
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

from tests.manage.planted import Planted
from tests.support.clients.api import Api
from tests.support.hidden import Hidden
from tests.support.people import ALICE
from tests.support.servers.manage import Manage

MIB = 1024**2
PATIENT = {"s3gateway": {"claim_grace": "86400"}}
PART = 5 * MIB
_PATIENCE = 240.0  # seconds, less than a test has


def rows_of(managed: Manage, image_id: str) -> list[dict[str, Any]]:
    return managed("status", config=PATIENT).about(image_id)


def test_an_upload_that_is_under_way(managed: Manage) -> None:
    api, goes_on, answers = Api(managed.glance.url, ALICE), threading.Event(), []
    image_id = api.create()

    def body() -> Iterator[bytes]:
        yield from (bytes(MIB) for _ in range(12))
        goes_on.wait(_PATIENCE)
        yield b"the end"

    upload = threading.Thread(
        target=lambda: answers.append(api.upload(image_id, body()).status)
    )
    upload.start()
    try:
        deadline = time.monotonic() + _PATIENCE
        while not (rows := rows_of(managed, image_id)) or not rows[0]["received_bytes"]:
            assert time.monotonic() < deadline, rows
    finally:
        goes_on.set()
        upload.join()
    [row] = rows
    assert (row["store"], row["state"]) == ("fast", "alive")
    assert row["gateway"] == socket.gethostname()
    assert row["received_bytes"] in (PART, 2 * PART)
    now = datetime.datetime.now(datetime.timezone.utc)
    since = datetime.datetime.fromisoformat(row["began_at"].replace("Z", "+00:00"))
    assert datetime.timedelta(0) <= now - since < datetime.timedelta(minutes=10)
    assert 0 <= row["silent_seconds"] < 600
    assert answers == [204]
    assert rows_of(managed, image_id) == []


def test_an_upload_that_died(managed: Manage) -> None:
    planted = Planted(managed)
    image_id = planted.gone()
    key = planted.claim(image_id)
    planted.are_older_than(2)
    done = managed("status")
    assert done.code == 1, done.text
    [row] = done.about(image_id)
    assert (row["state"], row["gateway"]) == ("dead", "elsewhere")
    cloud = managed.cloud
    cloud.s3.client().delete_object(Bucket=cloud.bucket("fast"), Key=key)


def test_the_settings_that_count(managed: Manage) -> None:
    done = managed("config")
    assert done.code == 0, done.text
    [row] = done.about("claim_grace")
    file = str(managed.glance.directory / "glance-api.conf")
    assert (row["value"], row["source"], row["detail"]) == (1.0, "file", file)
    [row] = done.about("glance_id")
    assert row["source"] == "computed"
    s3 = managed.cloud.s3
    keys = Hidden(s3.access_key, s3.secret_key, "not hidden here", "nor this")
    assert keys.found_in(done.text) == []

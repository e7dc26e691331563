# SPDX-License-Identifier: Apache-2.0
"""Notifications, compared field by field with those of stock Glance."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest

from tests.parity.record import Recorder
from tests.support.clients.api import Api
from tests.support.people import ALICE
from tests.support.servers.cloud import Cloud
from tests.support.servers.glance import Glance

DATA = b"worth a bill" * 1000
CONFIG = {"oslo_messaging_notifications": {"driver": "log"}}

# Sent for each save of the image's record; the saves are not the same ones.
UPDATE = "image.update"

# What is not known yet, or is in another moment, when the gateway sends.
ALLOWED = {
    ("image.upload", "updated_at"): "the registration has already moved it",
    ("image.activate", "updated_at"): "the registration has already moved it",
}


def notified(running: Glance, image_id: str) -> list[tuple[str, str, Any]]:
    """Return the notifications about an image: priority, event and payload."""
    found = []
    for line in running.log.splitlines():
        match = re.search(
            r" (\w+) oslo\.messaging\.notification\.([\w.]+) .*?(\{.*)$", line
        )
        if match and image_id in line:
            # behind it oslo.log names the exception, if there is one
            message, _ = json.JSONDecoder().raw_decode(match[3])
            found.append((match[1], message["event_type"], message["payload"]))
    return found


def wait_for(running: Glance, image_id: str, event: str) -> None:
    """The last byte leaves before anybody is told of it."""
    deadline = time.monotonic() + 30
    while event not in [found for _, found, _ in notified(running, image_id)]:
        assert time.monotonic() < deadline, f"no {event}"
        time.sleep(0.05)


def record(cloud: Cloud, *, gateway: bool, fail: bool = False) -> list[Any]:
    """Return what an upload and downloads through a Glance are notified as."""
    running = cloud.glance(gateway=gateway, config=CONFIG)
    api = Api(running.url, ALICE)
    image_id = api.create(
        name="billed", disk_format="qcow2" if fail else "raw", note="n"
    )
    api.upload(image_id, DATA)
    if not fail:
        api.download(image_id)
        wait_for(running, image_id, "image.send")
    recorder = Recorder(running.url, cloud)
    return [
        (priority, event, json.loads(recorder.anonymous(json.dumps(payload))))
        for priority, event, payload in notified(running, image_id)
        if event != UPDATE
    ]


def test_upload_and_download(cloud: Cloud) -> None:
    stock = record(cloud, gateway=False)
    gateway = record(cloud, gateway=True)
    assert [entry[:2] for entry in gateway] == [entry[:2] for entry in stock]
    events = [event for _, event, _ in stock]
    assert {"image.prepare", "image.upload", "image.activate", "image.send"} <= set(
        events
    )
    for (_, event, theirs), (_, _, ours) in zip(stock, gateway, strict=True):
        assert theirs.keys() == ours.keys()
        for field, value in theirs.items():
            assert ours[field] == value or (event, field) in ALLOWED, (event, field)


def test_a_failed_upload(cloud: Cloud) -> None:
    stock = record(cloud, gateway=False, fail=True)
    gateway = record(cloud, gateway=True, fail=True)
    assert [entry[:2] for entry in gateway] == [entry[:2] for entry in stock]
    assert ("ERROR", "image.upload") in [entry[:2] for entry in gateway]


@pytest.mark.full
def test_disabled_notifications(cloud: Cloud) -> None:
    config = {
        **CONFIG,
        "DEFAULT": {"disabled_notifications": "image.prepare,image.send"},
    }
    running = cloud.glance(gateway=True, config=config)
    api = Api(running.url, ALICE)
    image_id = api.create()
    api.upload(image_id, DATA)
    api.download(image_id)
    events = [event for _, event, _ in notified(running, image_id)]
    assert "image.upload" in events
    assert not {"image.prepare", "image.send"} & set(events)

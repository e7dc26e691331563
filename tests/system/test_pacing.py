# SPDX-License-Identifier: Apache-2.0
"""A gateway with rates holds transfers back; with a limit it refuses an upload."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from tests.support.clients.api import Api
from tests.support.people import ALICE
from tests.support.people import BOB
from tests.support.s3.memory import MIB
from tests.support.servers.cloud import Cloud
from tests.support.servers.standalone import GatewaySpec

RATE = 8  # MiB a second
DATA = bytes(range(256)) * (16 * MIB // 256)
OPTIONS = {
    "upload_rate": str(RATE),
    "download_rate": str(4 * RATE),
    "project_rate": str(RATE),
    "project_uploads": "1",
}
_BURST = 0.5  # seconds


@pytest.fixture(
    params=[
        "in Glance",
        pytest.param("api", marks=pytest.mark.full),
        pytest.param("stand-alone", marks=pytest.mark.full),
    ]
)
def api(cloud: Cloud, request: pytest.FixtureRequest) -> Api:
    options = dict(OPTIONS)
    if request.param == "stand-alone":
        spec = GatewaySpec(config={"s3gateway": options})
        return Api(cloud.standalone(spec).url, ALICE)
    if request.param == "api":
        options["registration"] = "api"
    return Api(cloud.glance(gateway=True, config={"s3gateway": options}).url, ALICE)


def test_transfers_take_their_time(api: Api) -> None:
    image_id = api.create()
    least = len(DATA) / MIB / RATE - _BURST
    began = time.monotonic()
    assert api.upload(image_id, DATA).status == 204
    uploaded = time.monotonic()
    assert api.download(image_id).body == DATA
    assert uploaded - began >= least
    assert time.monotonic() - uploaded >= least - 0.2  # the client may be behind
    api.delete(image_id)


def test_one_upload_too_many_is_refused_before_its_data(api: Api) -> None:
    """And only that of the same project."""
    images = [api.create(), api.create()]
    bob = Api(api.url, BOB)
    other = bob.create()
    may_end, begun = threading.Event(), threading.Event()

    def slowly() -> Iterator[bytes]:
        yield DATA[:MIB]
        begun.set()
        may_end.wait(60)
        yield DATA[MIB:]

    uploaded: list[int] = []
    client = threading.Thread(
        target=lambda: uploaded.append(api.upload(images[0], slowly()).status)
    )
    client.start()
    assert begun.wait(60)
    api.wait_until(images[0], lambda image: image["status"] in ("saving", "queued"))
    deadline = time.monotonic() + 20
    while (refused := api.upload(images[1], b"data")).status != 503:
        assert time.monotonic() < deadline, "it was never refused"
        images[1] = api.create()
    assert refused.headers["Retry-After"] == "30"
    assert b"1 uploads running" in refused.body
    assert api.show(images[1])["status"] == "queued"
    assert bob.upload(other, b"data").status == 204
    may_end.set()
    client.join()
    assert uploaded == [204]
    assert api.upload(images[1], b"data").status == 204

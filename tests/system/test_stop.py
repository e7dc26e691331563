# SPDX-License-Identifier: Apache-2.0
"""SIGTERM to a stand-alone gateway: transfers end, or are cut and leave no trace."""

from __future__ import annotations

import concurrent.futures
import pathlib
import signal
import threading
import time
from collections.abc import Iterator

import psutil
import pytest
import requests

from tests.support.clients.api import Api
from tests.support.clients.api import Response
from tests.support.s3.memory import MIB
from tests.support.servers import standalone
from tests.support.servers.cloud import Cloud
from tests.support.servers.glance import merged
from tests.support.servers.identity import token
from tests.support.servers.standalone import Gateway
from tests.support.servers.standalone import GatewaySpec

pytestmark = pytest.mark.full

ALICE = token("alice", "acme", "member", "reader")
DATA = bytes(range(251)) * (11 * MIB // 251)


class Slow:
    """A body whose end is held back."""

    def __init__(self, before: bytes = DATA) -> None:
        self.begun = threading.Event()
        self.go_on = threading.Event()
        self._before = before

    def __iter__(self) -> Iterator[bytes]:
        yield self._before
        self.begun.set()
        assert self.go_on.wait(120)
        yield DATA[len(self._before) :] + b"end"


@pytest.fixture
def gateway(
    request: pytest.FixtureRequest, cloud: Cloud, tmp_path: pathlib.Path
) -> Iterator[Gateway]:
    """A gateway that is patient for as many seconds as the test says."""
    ours = {"glance_url": cloud.glance(gateway=False).url, "claim_grace": "1"}
    spec = GatewaySpec(
        config=merged(cloud.stores(), {"s3gateway": ours}),
        arguments=(f"--graceful-timeout={request.param}",),
    )
    with standalone.serving(spec, tmp_path / "stopped") as running:
        yield running


def upload(api: Api, image_id: str, body: Slow) -> Response | None:
    try:
        return api.upload(image_id, iter(body))
    except requests.ConnectionError:
        return None


def stop(gateway: Gateway) -> None:
    """Tell the gateway to stop and wait until it has begun to."""
    gateway.server.process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + 60
    while "Handling signal: term" not in gateway.log:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def wait_until_it_refuses(api: Api) -> None:
    """Wait until new connections are refused, while transfers still run."""
    deadline = time.monotonic() + 30
    while True:
        assert time.monotonic() < deadline
        try:
            api.connect().close()
        except ConnectionRefusedError:
            return
        time.sleep(0.05)


@pytest.mark.parametrize("gateway", [60], indirect=True)
def test_running_transfers_end(cloud: Cloud, gateway: Gateway) -> None:
    api = Api(gateway.url, ALICE)
    body, image_id = Slow(), api.create()
    other = api.create()
    assert api.upload(other, DATA).status == 204
    with (
        requests.get(
            f"{gateway.url}/v2/images/{other}/file",
            headers={"X-Auth-Token": ALICE},
            stream=True,
            timeout=60,
        ) as download,
        concurrent.futures.ThreadPoolExecutor() as pool,
    ):
        going_up = pool.submit(upload, api, image_id, body)
        assert body.begun.wait(60)
        stop(gateway)
        wait_until_it_refuses(api)
        body.go_on.set()
        assert download.content == DATA
        answer = going_up.result()
        assert answer is not None
        assert answer.status == 204
    assert gateway.server.process.wait(60) == 0
    direct = cloud.api(ALICE, gateway=False)
    assert direct.show(image_id)["status"] == "active"
    assert direct.download(image_id).body == DATA + b"end"


@pytest.mark.parametrize("gateway", [2], indirect=True)
def test_transfers_that_take_too_long_are_cut(cloud: Cloud, gateway: Gateway) -> None:
    api = Api(gateway.url, ALICE)
    body, image_id = Slow(), api.create()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        going_up = pool.submit(upload, api, image_id, body)
        assert body.begun.wait(60)
        stop(gateway)
        gateway.server.process.wait(60)
        body.go_on.set()
        answer = going_up.result()
        assert answer is None or answer.status >= 500
    direct = cloud.api(ALICE, gateway=False)
    assert direct.show(image_id)["status"] == "queued"
    ours = {"s3gateway": {"claim_grace": "1"}}
    again = Api(cloud.standalone(GatewaySpec(config=ours)).url, ALICE)
    answer = again.upload(image_id, DATA)
    while answer.status == 409:  # until the claim of the dead one is stale
        answer = again.upload(image_id, DATA)
    assert answer.status == 204
    assert direct.download(image_id).body == DATA


@pytest.mark.parametrize("gateway", [1], indirect=True)
def test_an_upload_outlives_the_patience_of_its_worker(
    cloud: Cloud, gateway: Gateway
) -> None:
    """Python lets it end, and starts no threads for its parts any more."""
    api = Api(gateway.url, ALICE)
    body, image_id = Slow(DATA[:MIB]), api.create()
    workers = psutil.Process(gateway.server.pid).children()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        going_up = pool.submit(upload, api, image_id, body)
        assert body.begun.wait(60)
        for worker in workers:
            worker.terminate()
        _, alive = psutil.wait_procs(workers, timeout=6)
        assert len(alive) == 1
        body.go_on.set()
        answer = going_up.result()
    assert answer is not None
    assert answer.status == 204
    alive[0].wait(60)
    assert api.download(image_id).body == DATA + b"end"

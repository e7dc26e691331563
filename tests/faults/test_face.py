# SPDX-License-Identifier: Apache-2.0
"""S3 fails behind the face, or the gateway is killed: Glance's images stay whole."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator

import psutil
import pytest
import requests

from tests.support.faults import s3_faults
from tests.support.people import ALICE
from tests.support.servers import environments
from tests.support.servers import sealed
from tests.support.servers.cloud import Cloud
from tests.support.servers.manage import Result
from tests.support.servers.manage import parsed
from tests.support.servers.processes import run
from tests.support.servers.sealed import Sealed

MIB = 1024**2
DATA = random.Random(26).randbytes(12 * MIB + 1)  # noqa: S311
SMALL = DATA[: MIB + 1]
GRACE = 2.0


@pytest.fixture(scope="module")
def ground(clouds: Callable[[int], Cloud]) -> Iterator[Sealed]:
    cloud, grace = clouds(33), str(GRACE)
    with sealed.serving(cloud, claim_grace=grace, glance_id="of-the-faults") as found:
        yield found


def _goes(ground: Sealed, image_id: str) -> None:
    assert ground.stock(ALICE).delete(image_id).status == 204
    assert ground.cloud.kept(image_id) == []


@pytest.mark.parametrize(
    ("data", "where"),
    [
        (SMALL, {"method": "PUT", "key": "ID"}),
        (DATA, {"method": "POST", "query": "uploads"}),
        (DATA, {"method": "PUT", "query": "partNumber=2"}),
        (DATA, {"method": "POST", "query": "uploadId"}),
    ],
    ids=["put", "create", "part", "complete"],
)
@pytest.mark.parametrize("fault", ["refused", "answer lost"])
def test_a_write_of_glance_survives(
    ground: Sealed, data: bytes, where: dict[str, str], fault: str
) -> None:
    api = ground.stock(ALICE)
    image_id = api.create()
    happens = ground.proxy.add(
        s3_faults.SlowDown() if fault == "refused" else s3_faults.ResetAfter(),
        method=where["method"],
        key=where.get("key", "").replace("ID", image_id),
        query=where.get("query", ""),
    )
    answer = api.upload(image_id, data)
    ground.proxy.clear()
    assert happens.events
    assert answer.status == 204, answer
    assert api.download(image_id).body == data
    _goes(ground, image_id)


def test_a_read_of_glance_survives(ground: Sealed) -> None:
    api = ground.stock(ALICE)
    image_id = api.create()
    assert api.upload(image_id, DATA).status == 204
    breaks = s3_faults.Truncate(5 * MIB, reset=True)
    happens = ground.proxy.add(breaks, method="GET", key=image_id)
    assert api.download(image_id).body == DATA
    ground.proxy.clear()
    assert happens.events
    _goes(ground, image_id)


def test_a_store_that_is_down_is_an_error_that_glance_knows(ground: Sealed) -> None:
    api = ground.stock(ALICE)
    image_id = api.create()
    ground.proxy.down()
    try:
        answer = api.upload(image_id, SMALL)
    finally:
        ground.proxy.up()
    assert answer.status >= 500
    assert api.show(image_id)["status"] == "queued"
    assert api.upload(image_id, SMALL).status == 204
    assert api.download(image_id).body == SMALL
    _goes(ground, image_id)


def _stalled(ground: Sealed, image_id: str) -> tuple[s3_faults.Stall, threading.Thread]:
    """Begin an upload that S3 holds up in its second part."""
    stall = ground.proxy.add(s3_faults.Stall(), query="partNumber=2")

    def upload() -> None:
        with contextlib.suppress(requests.ConnectionError):
            ground.stock(ALICE).upload(image_id, DATA)

    client = threading.Thread(target=upload)
    client.start()
    assert stall.reached.wait(60)
    return stall, client


def test_an_upload_survives_a_worker_that_is_killed_or_ends_cleanly(
    ground: Sealed,
) -> None:
    """Another worker goes on with the upload, if Glance's driver asks again in time."""
    api = ground.stock(ALICE)
    image_id = api.create()
    stall, client = _stalled(ground, image_id)
    worker = ground.worker()
    worker.kill()
    psutil.wait_procs([worker], timeout=30)
    stall.drop()
    ground.proxy.clear()
    client.join()
    if api.show(image_id)["status"] != "active":
        assert api.upload(image_id, DATA).status == 204
    assert api.download(image_id).body == DATA
    assert api.delete(image_id).status == 204


def test_a_gateway_that_is_killed_leaves_what_gc_collects(ground: Sealed) -> None:
    api = ground.stock(ALICE)
    image_id = api.create()
    stall, client = _stalled(ground, image_id)
    server = ground.gateway.server
    server.kill()
    stall.drop()
    ground.proxy.clear()
    client.join()
    server.start_again()
    server.wait_for_url(f"{ground.gateway.url}/healthcheck")
    assert image_id in ground.cloud.uploads("fast")
    assert api.show(image_id)["status"] == "queued"
    time.sleep(GRACE + 1)
    done = collected(ground)
    assert (image_id, "collected") in {
        (row["key"], row["state"]) for row in done.rows
    }, done.text
    assert image_id not in ground.cloud.uploads("fast")
    assert api.upload(image_id, SMALL).status == 204
    _goes(ground, image_id)


def collected(ground: Sealed) -> Result:
    """Run ``gc --delete`` with the gateway's own configuration."""
    config = ground.gateway.directory / "s3gateway.conf"
    program = environments.bin_dir("gateway") / "s3gateway-manage"
    words = [f"--config-file={config}", "--json", "gc", "--delete", "--force"]
    return parsed(run([program, *words], check=False))

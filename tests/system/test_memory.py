# SPDX-License-Identifier: Apache-2.0
"""A worker's memory during an upload to an S3 that is slower than the client."""

from __future__ import annotations

from collections.abc import Iterator

import psutil
import pytest

from tests.support import tiers
from tests.support.faults import s3_faults
from tests.support.faults.through import through_proxy
from tests.support.people import ALICE
from tests.support.servers.cloud import Cloud
from tests.support.servers.peak import Peak

MIB = 1024**2
PART = 8
THREADS = 4
BOUND = (THREADS * PART + 64) * MIB


def zeros(size: int) -> Iterator[bytes]:
    """Yield a sparse image in chunks."""
    chunk = bytes(MIB)
    for _ in range(size // MIB):
        yield chunk


@pytest.mark.parametrize(
    "chunked", tiers.but([True], [False, True]), ids=["length", "chunked"]
)
def test_a_slow_store(cloud: Cloud, chunked: bool) -> None:
    """Stock keeps what S3 has not taken yet: all of the image."""
    stores = {
        "s3_store_large_object_chunk_size": str(PART),
        "s3_store_thread_pools": str(THREADS),
    }
    options = {"read_timeout": "30"}
    with through_proxy(cloud, ALICE, stores=stores, options=options) as through:
        warm = through.api.create()
        assert through.api.upload(warm, bytes(MIB)).status == 204
        through.proxy.add(s3_faults.Rate(20 * MIB), method="PUT", times=None)
        image_id = through.api.create()
        peak = Peak(through.worker().pid)
        body = zeros(200 * MIB) if chunked else bytes(200 * MIB)
        assert through.api.upload(image_id, body).status == 204
        assert peak.over_idle() < BOUND
        assert through.api.show(image_id)["size"] == 200 * MIB
        through.api.delete(image_id)


@pytest.mark.full
def test_a_large_sparse_stream(cloud: Cloud) -> None:
    """Its parts grow, as nobody knows how long it will be; the memory does not."""
    size = 6 * 1024 * MIB
    running = cloud.glance(gateway=True)
    api = cloud.api(ALICE, gateway=True)
    image_id = api.create()
    [worker] = psutil.Process(running.server.pid).children()
    peak = Peak(worker.pid)
    assert api.upload(image_id, zeros(size)).status == 204
    assert peak.over_idle() < 256 * MIB
    image = api.show(image_id)
    assert (image["status"], image["size"]) == ("active", size)
    end = api.download(image_id, Range="bytes=-5")
    assert (end.status, end.body) == (206, bytes(5))
    api.delete(image_id)

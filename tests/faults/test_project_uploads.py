# SPDX-License-Identifier: Apache-2.0
"""``project_uploads`` counts right, however uploads end: a storm, and then a count.

``S3GATEWAY_SEED`` chooses another storm.
"""

from __future__ import annotations

import contextlib
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from collections.abc import Iterator
from concurrent import futures

import psutil
import pytest
import requests

from tests.support import tiers
from tests.support.clients import endings
from tests.support.clients.puts import Put
from tests.support.clients.puts import Workers
from tests.support.clients.puts import length
from tests.support.faults import s3_faults
from tests.support.faults.faultproxy import FaultProxy
from tests.support.faults.through import IMPATIENT
from tests.support.people import BOB
from tests.support.servers.cloud import Cloud
from tests.support.servers.glance import Config
from tests.support.servers.glance import merged
from tests.support.servers.standalone import GatewaySpec

pytestmark = pytest.mark.timeout(1800)

SEED = int(os.environ.get("S3GATEWAY_SEED", "20261127"))
MOST = 5  # uploads of a project at once, in each worker
WORKERS = 2
THREADS = 24
CLIENTS = 12
STEPS = 96
PATIENCE = 240.0  # seconds
SIZE = 100_000  # of an upload that is held
BEGUN = 1000  # bytes of it that are sent at first

_REFUSED = b"uploads running already"
_STATUSES = {0, 204, 400, 404, 409, 413, 415, 500, 503}  # 0: there was no answer


@pytest.fixture(scope="module")
def proxy(clouds: Callable[[int], Cloud]) -> Iterator[FaultProxy]:
    """What is between the gateway and S3."""
    with FaultProxy(clouds(33).s3.endpoint) as found:
        yield found


@pytest.fixture(
    scope="module", params=tiers.but(["auto"], ["auto", "api", "stand-alone"])
)
def workers(
    request: pytest.FixtureRequest, clouds: Callable[[int], Cloud], proxy: FaultProxy
) -> Workers:
    cloud = clouds(33)
    store = {"s3_store_host": proxy.endpoint}
    ours = {**IMPATIENT, "project_uploads": str(MOST)}
    cap = {"DEFAULT": {"image_size_cap": str(endings.CAP)}}
    config: Config = merged(cap, {"fast": store, "cheap": store, "s3gateway": ours})
    if request.param == "stand-alone":
        arguments = (f"--workers={WORKERS}", f"--threads={THREADS}")
        spec = GatewaySpec(arguments=arguments, config=config)
        gateway = cloud.standalone(spec, config=cap, threads=THREADS)
        return Workers(gateway.url, gateway.server.pid)
    config["s3gateway"]["registration"] = request.param
    running = cloud.glance(
        gateway=True, config=config, workers=WORKERS, threads=THREADS
    )
    return Workers(running.url, running.server.pid)


def step(workers: Workers, number: int) -> tuple[str, int, bytes]:
    """Do one thing; return what it was, and the answer, 0 if there is none."""
    chance = random.Random(SEED * 1000 + number)  # noqa: S311
    if number in (STEPS // 3, 2 * STEPS // 3):
        with contextlib.suppress(psutil.Error):
            chance.choice(workers.all()).kill()
        return ("kill", *endings.GONE)
    # Each kind once, and then as chance has it.
    among = endings.KINDS[number : number + 1] or endings.KINDS
    what = chance.choice(among)
    try:
        return (what.__name__, *what(workers, chance))
    except (OSError, requests.RequestException):  # the worker died
        return (what.__name__, *endings.GONE)


def trouble(proxy: FaultProxy) -> s3_faults.Stall:
    """Have S3 fail now and then."""
    proxy.add(s3_faults.SlowDown(), method="PUT", nth=4, times=6)
    proxy.add(s3_faults.ResetWithin(1000), method="PUT", nth=14, times=3)
    proxy.add(s3_faults.ResetAfter(), method="POST", nth=4, times=2)
    return proxy.add(s3_faults.Stall(), method="PUT", nth=20, times=2)


class Neighbour:
    """Another project, which has one upload at a time and is never refused."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._ended = threading.Event()
        self.answers: Counter[int] = Counter()
        self.refused = 0

    def work(self) -> None:
        while not self._ended.is_set():
            image_id = self._workers.image(BOB)
            put = Put(self._workers, image_id, length(1000), token=BOB)
            put.send(put.head + bytes(1000))
            status, body = put.answer()
            self.answers[status] += 1
            self.refused += _REFUSED in body

    def end(self) -> None:
        self._ended.set()


def begin(workers: Workers, worker: psutil.Process) -> list[Put]:
    """Begin as many uploads as are allowed, and see that one more is refused.

    Some of them may have been refused by then, if others had the room.
    """
    held = []
    for _ in range(MOST):
        put = Put(workers, workers.image(), length(SIZE), worker=worker)
        put.send(put.head + bytes(BEGUN))
        held.append(put)
    deadline = time.monotonic() + PATIENCE
    while True:  # those may not be counted yet
        more = Put(workers, workers.image(), length(1000), worker=worker)
        more.send(more.head + bytes(1000))
        status, body = more.answer()
        if status == 503 and _REFUSED in body:
            return held
        if any(put.is_answered for put in held):
            return held
        assert status == 204, (status, body)
        assert time.monotonic() < deadline, "one more was never refused"


def fill(workers: Workers, worker: psutil.Process) -> list[int]:
    """Have as many uploads of a worker as are allowed; return their statuses."""
    held = begin(workers, worker)
    other = Put(workers, workers.image(BOB), length(1000), token=BOB, worker=worker)
    other.send(other.head + bytes(1000))
    assert other.answer()[0] == 204
    for put in held:
        put.send(bytes(SIZE - BEGUN))
    return [put.answer()[0] for put in held]


def has_room(workers: Workers, worker: psutil.Process) -> None:
    """Wait until a worker takes as many uploads as are allowed, and not one more."""
    deadline = time.monotonic() + PATIENCE
    while (statuses := fill(workers, worker)) != [204] * MOST:
        assert time.monotonic() < deadline, statuses


def test_the_count_is_right_after_a_storm(
    workers: Workers, proxy: FaultProxy, capsys: pytest.CaptureFixture[str]
) -> None:
    neighbour = Neighbour(workers)
    stall = trouble(proxy)
    with futures.ThreadPoolExecutor(CLIENTS + 1) as pool:
        beside = pool.submit(neighbour.work)
        done = list(pool.map(lambda number: step(workers, number), range(STEPS)))
        neighbour.end()
        beside.result(PATIENCE)
    stall.drop()
    proxy.clear()
    outcomes = Counter((what, status) for what, status, _ in done)
    refused = sum(_REFUSED in body for _, _, body in done)
    with capsys.disabled():
        print(f"\nseed {SEED}, {refused} refused, beside {dict(neighbour.answers)}")
        print(*sorted(outcomes.items()), sep="\n")
    assert {status for _, status, _ in done} <= _STATUSES
    assert refused, "never were there too many"
    assert neighbour.refused == 0
    assert neighbour.answers[204]
    assert len(workers.all()) == WORKERS
    for worker in workers.all():
        has_room(workers, worker)  # the storm's last uploads may be running


@pytest.mark.full
@pytest.mark.parametrize("workers", ["auto"], indirect=True)
def test_clients_that_vanish_without_a_word(workers: Workers) -> None:
    """Only the keepalive of TCP finds out; it begins after a minute."""
    worker, *_ = workers.all()
    for put in begin(workers, worker):
        put.vanish_without_a_word()
    has_room(workers, worker)

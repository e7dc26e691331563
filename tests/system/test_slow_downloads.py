# SPDX-License-Identifier: Apache-2.0
"""Clients that download a few KiB a second: what they hold, and what they leave."""

from __future__ import annotations

import dataclasses
import pathlib
import random
import tempfile
import time
from collections.abc import Callable
from collections.abc import Iterator
from urllib import parse

import pytest

from tests.support import tiers
from tests.support.clients import load
from tests.support.clients import slow
from tests.support.clients.api import Api
from tests.support.clients.load import Census
from tests.support.clients.slow import Readers
from tests.support.clients.slow import Wanted
from tests.support.faults.s3_faults import Meter
from tests.support.faults.through import Through
from tests.support.faults.through import received
from tests.support.faults.through import through_proxy
from tests.support.people import ALICE
from tests.support.people import BOB
from tests.support.servers.cloud import Cloud
from tests.support.servers.peak import Peak

pytestmark = pytest.mark.timeout(900)

MIB = 1024**2
SIZE = 24 * MIB
IMAGES = [random.Random(n).randbytes(SIZE) for n in range(4)]  # noqa: S311
OTHERS = random.Random(99).randbytes(9 * MIB)  # noqa: S311
MEMORY = 32 * MIB  # download_memory
RATE = 64  # MiB a second
EACH = 2 * MIB  # what a download may take beside that: operations/sizing.rst
#: What a worker may have more after a second crowd: malloc keeps some freed buffers in
#: the arenas of threads.  It is less than one for each client.
GROWTH = 64 * MIB
KEPT = MIB // 2  # of each download
#: What S3 sends to one that reads alone: it fills the buffers of both kernels.
AHEAD = 12 * MIB
ON_ITS_WAY = 128 * 1024  # bytes on a connection that is cut; pieces come to their end
FLOW = 12 * MIB  # bytes in three seconds; 256 clients read 3 MiB
MORE = 16  # threads beside those of the crowd
OWN = 8  # threads of the worker, beside those that serve requests
PATIENCE = 240.0  # seconds

OPTIONS = {
    "download_memory": str(MEMORY // MIB),
    "download_piece": "1",
    "connect_timeout": "30",
    "read_timeout": "60",
    "retry_time": "60",
}
RATES = {"download_rate": str(RATE), "project_rate": str(RATE)}
MEMORY_TAKEN = 's3gateway_buffer_bytes{operation="download"}'
PIECES = 's3gateway_parts_in_flight{operation="download"'


@dataclasses.dataclass(frozen=True)
class Case:
    """How many clients there are, and what limits them.

    :ivar hot: whether there is a directory of hot images
    """

    crowd: int
    hot: bool = False
    rates: bool = False

    def __str__(self) -> str:
        return f"{self.crowd}{'-hot' * self.hot}{'-rates' * self.rates}"


CASES = [
    Case(48),
    Case(256),
    Case(256, hot=True),
    Case(256, rates=True),
    Case(256, hot=True, rates=True),
]


@pytest.fixture(scope="module")
def directory() -> Iterator[pathlib.Path]:
    with tempfile.TemporaryDirectory(prefix="s3gw-hot-") as found:
        yield pathlib.Path(found)


@pytest.fixture(scope="module", params=tiers.but([CASES[0]], CASES), ids=str)
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


@pytest.fixture(scope="module")
def through(
    clouds: Callable[[int], Cloud], case: Case, directory: pathlib.Path
) -> Iterator[Through]:
    options = dict(OPTIONS)
    if case.hot:
        options["hot_images"] = "1GiB"
        options["hot_images_dir"] = str(directory / "hot")
    if case.rates:
        options.update(RATES)
    apps = {"/metrics": "use = egg:s3gateway#metrics"}
    with through_proxy(
        clouds(33), ALICE, options=options, threads=case.crowd + MORE, apps=apps
    ) as found:
        yield found


@pytest.fixture(scope="module")
def images(through: Through) -> list[str]:
    """Return the ids of the images."""
    found = []
    for data in IMAGES:
        found.append(through.api.create())
        assert through.api.upload(found[-1], data).status == 204
    return found


@pytest.fixture(scope="module")
def other(through: Through) -> str:
    """Return the id of an image of another project."""
    bob = Api(through.api.url, BOB)
    found = bob.create()
    assert bob.upload(found, OTHERS).status == 204
    return found


def of_one(images: list[str], count: int) -> list[Wanted]:
    return [Wanted(images[0], IMAGES[0])] * count


def of_several(images: list[str], count: int) -> list[Wanted]:
    both = list(zip(images, IMAGES, strict=True))
    return [Wanted(*both[number % len(both)]) for number in range(count)]


def of_ranges(images: list[str], count: int) -> list[Wanted]:
    starts = random.Random(7)  # noqa: S311
    return [
        dataclasses.replace(wanted, start=starts.randrange(SIZE - MIB))
        for wanted in of_several(images, count)
    ]


def gauge(through: Through, name: str) -> int:
    """Return the sum of a metric, with all labels that begin so."""
    lines = through.api.request("GET", "/metrics").body.decode().splitlines()
    found = [line.split()[-1] for line in lines if line.startswith(name)]
    assert found, name
    return int(sum(map(float, found)))


def idle(through: Through) -> Census:
    """Wait until nothing is left of the clients; return what the worker holds."""
    for name in MEMORY_TAKEN, PIECES:
        deadline = time.monotonic() + PATIENCE
        while left := gauge(through, name):
            assert time.monotonic() < deadline, (name, left)
            time.sleep(0.2)
    port = parse.urlsplit(through.api.url).port or 0
    return load.when_idle(through.worker().pid, port, PATIENCE)


def others_are_served(through: Through, images: list[str], other: str) -> None:
    """Another project's download, a fast one beside the slow ones, and an upload."""
    bob = Api(through.api.url, BOB)
    assert received(bob, other) == (OTHERS, True)
    assert received(through.api, images[0]) == (IMAGES[0], True)
    image_id = bob.create()
    assert bob.upload(image_id, OTHERS).status == 204
    assert bob.delete(image_id).status == 204


def settle(meter: Meter) -> None:
    """Wait until S3 sends little more than the clients read: all buffers are full."""
    deadline, moved = time.monotonic() + PATIENCE, FLOW + 1
    while moved > FLOW:
        assert time.monotonic() < deadline, moved
        before = meter.count
        time.sleep(3)
        moved = meter.count - before


def crowd(
    through: Through,
    wanted: list[Wanted],
    meter: Meter,
    meanwhile: Callable[[Readers], None],
) -> tuple[int, Census]:
    """Have clients that vanish in the end.

    :return: what S3 has sent for them alone, and what is left of them
    """
    before = meter.count
    with slow.reading(through.api.url, ALICE, wanted) as readers:
        readers.wait_for_first_bytes(PATIENCE)
        settle(meter)
        sent = meter.count - before
        meanwhile(readers)
        assert readers.wrong == []
    vanished = meter.count
    left = idle(through)
    assert meter.count - vanished <= MEMORY + len(wanted) * ON_ITS_WAY
    return sent, left


@pytest.mark.parametrize("what", [of_one, of_several, of_ranges])
def test_slow_clients_hold_little_and_leave_nothing(
    through: Through,
    case: Case,
    images: list[str],
    other: str,
    directory: pathlib.Path,
    what: Callable[[list[str], int], list[Wanted]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The first crowd makes the threads and pools that are there for the second."""
    through.proxy.clear()
    meter = through.proxy.add(Meter(), method="GET", times=None)
    wanted = what(images, case.crowd)
    _, before = crowd(through, wanted, meter, lambda readers: None)
    peak = Peak(before.pid)

    def meanwhile(readers: Readers) -> None:
        assert gauge(through, MEMORY_TAKEN) <= MEMORY
        others_are_served(through, images, other)
        assert gauge(through, MEMORY_TAKEN) <= MEMORY

    sent, after = crowd(through, wanted, meter, meanwhile)
    most = peak.over_idle()
    with capsys.disabled():
        print(f"\n{case} {what.__name__}: {most / MIB:.0f} MiB over idle, S3 has sent")
        print(f"{sent / MIB:.0f} MiB;", before, "->", after)
    assert most <= MEMORY + case.crowd * EACH
    assert sent <= (2 * SIZE if what is of_one else case.crowd * AHEAD)
    may_have = dataclasses.replace(before, threads=case.crowd + MORE + OWN)
    sockets = before.sockets + case.crowd
    rss = GROWTH + case.crowd * KEPT
    assert list(load.growth(may_have, after, rss=rss, sockets=sockets)) == []
    assert list(directory.rglob("*.draft")) == []

# SPDX-License-Identifier: Apache-2.0
"""Frequent requests: small images, a page of a thousand, and their requests to S3."""

from __future__ import annotations

import collections
import dataclasses
import functools
import pathlib
import statistics
import uuid
from collections.abc import Callable
from collections.abc import Iterator
from time import monotonic

from benchmarks import workers
from benchmarks.field import BY_API
from benchmarks.field import GATEWAY
from benchmarks.field import STOCK
from benchmarks.field import Field
from benchmarks.field import Ground
from benchmarks.field import Side
from benchmarks.field import both
from tests.support.faults.faultproxy import FaultProxy
from tests.support.servers.rows import multiply

LISTED = 1000

SIZES = {"4-KiB": 4 * 1024, "64-KiB": 64 * 1024, "1-MiB": 1024**2}
_IMAGES = 10  # of each size in one run
_LISTS = 5  # in one run


@dataclasses.dataclass(frozen=True)
class Rate:
    """How often something was done in one run, one after the other.

    :ivar rate: times a second
    :ivar cpu: of the workers, in seconds for each
    """

    case: str
    side: str
    pair: int
    rate: float
    cpu: float


@dataclasses.dataclass(frozen=True)
class Requests:
    """What one operation asked of S3.

    :ivar counts: how many requests, by method
    """

    operation: str
    side: str
    counts: dict[str, int]


def rates(field: Field, source: pathlib.Path, pairs: int) -> Iterator[Rate]:
    """Yield the samples; the first side alternates from pair to pair."""
    _make_a_page(field, source)
    for pair in range(pairs):
        sides = (STOCK, GATEWAY, BY_API)
        order = sides if pair % 2 == 0 else sides[::-1]
        for name in order:
            workers.wait_until_calm()
            for case, rate, cpu in _rates(field.sides[name], source):
                yield Rate(case, name, pair, rate, cpu)
        workers.wait_until_calm()
        listing = {name: field.sides[name] for name in order if name != BY_API}
        for name, (rate, cpu) in _lists(listing).items():
            yield Rate(f"list-{LISTED}", name, pair, rate, cpu)


def requests(ground: Ground, source: pathlib.Path) -> Iterator[Requests]:
    """Yield what the upload and the download of a small image ask of S3."""
    with FaultProxy(ground.s3.endpoint) as proxy:
        s3 = dataclasses.replace(ground.s3, endpoint=proxy.endpoint)
        with both(ground, s3, "counted") as sides:
            for name, side in sides.items():
                _uploaded(side, source)  # what is asked once and never again
                image = side.api.create(name="counted")
                for operation, work in _both_ways(side, source, 1024**2):
                    before = len(proxy.requests)
                    work(image)
                    methods = [made.method for made in proxy.requests[before:]]
                    yield Requests(operation, name, dict(collections.Counter(methods)))
                side.api.delete(image)


def _rates(side: Side, source: pathlib.Path) -> Iterator[tuple[str, float, float]]:
    for size_name, size in SIZES.items():
        images = [side.api.create(name="small") for _ in range(_IMAGES)]
        for operation, work in _both_ways(side, source, size):
            yield f"{operation}-{size_name}", *_how_often(side, work, images)
        for image in images:
            side.api.delete(image)


def _lists(sides: dict[str, Side]) -> dict[str, tuple[float, float]]:
    """Return how often a page is listed; the sides take turns with each of them."""
    page = f"/v2/images?limit={LISTED}&tag=listed"
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for _ in range(_LISTS):
        for name, side in sides.items():
            found[name].append(_how_often(side, side.client.get, [page]))
    return {
        name: (
            statistics.harmonic_mean(rate for rate, _ in runs),
            statistics.mean(cpu for _, cpu in runs),
        )
        for name, runs in found.items()
    }


def _both_ways(
    side: Side, source: pathlib.Path, size: int
) -> Iterator[tuple[str, Callable[[str], object]]]:
    upload = functools.partial(
        side.client.upload, source=source, size=size, chunked=False
    )
    yield "upload", upload
    yield "download", functools.partial(side.client.download, size=size)


def _how_often(
    side: Side, work: Callable[[str], object], things: list[str]
) -> tuple[float, float]:
    """Return how often a second something is done, and what it costs each time."""
    side.workers.begin()
    began = monotonic()
    for thing in things:
        work(thing)
    rate = len(things) / (monotonic() - began)
    return rate, side.workers.end().cpu / len(things)


def _make_a_page(field: Field, source: pathlib.Path) -> None:
    """Upload one image, and copy its rows."""
    image = _uploaded(field.sides[STOCK], source, tags=["listed"])
    multiply(field.ground.sql, image, [str(uuid.uuid4()) for _ in range(LISTED - 1)])


def _uploaded(side: Side, source: pathlib.Path, **fields: object) -> str:
    image = side.api.create(name="small", **fields)
    side.client.upload(image, source, SIZES["4-KiB"], chunked=False)
    return image

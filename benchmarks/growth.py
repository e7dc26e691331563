# SPDX-License-Identifier: Apache-2.0
"""More and more clients at once: what they get, how long they wait, what they cost."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import http.client
import pathlib
import threading
from collections.abc import Iterator
from urllib import parse

from benchmarks import workers
from benchmarks.client import Failed
from benchmarks.client import Timing
from benchmarks.field import BUCKET
from benchmarks.field import GATEWAY
from benchmarks.field import STOCK
from benchmarks.field import Ground
from benchmarks.field import Side
from benchmarks.field import serving
from benchmarks.workers import Watch
from benchmarks.workers import connections
from tests.support.servers.glance import merged

TWO = "two gateways"
SIDES = (STOCK, GATEWAY, TWO)
CLIENTS = (1, 4, 16, 64, 256)
KINDS = ("upload", "download", "mixed")

_MIB = 1024**2
_GIB = 1024**3
_LARGEST = 16  # MiB of an image
# Of each Glance: nobody waits for a thread.  As many connections to the database may
# be open: with Glance's default, 55, stock answers 500 to some of so many uploads.
_THREADS = max(CLIENTS) + 8
_LOOK = 0.3  # seconds between two counts of the connections
_MOST = 2  # pairs
_PAGE = 1000  # keys that S3 deletes at once


@dataclasses.dataclass(frozen=True)
class Load:
    """What all clients do at once.

    :ivar kind: ``upload``, ``download``, or ``mixed``: every other request is one
    :ivar size: of an image, in MiB
    :ivar each: how many images a client moves, one after the other
    """

    kind: str
    clients: int
    size: int
    each: int

    def is_upload(self, client: int, turn: int) -> bool:
        return self.kind == "upload" or (
            self.kind == "mixed" and (client + turn) % 2 == 0
        )


@dataclasses.dataclass(frozen=True)
class Growth:
    """One run.

    :ivar cpu: CPU seconds of the workers per GiB
    :ivar memory: peak over idle in MiB; of two gateways the sum
    :ivar first: seconds to the first byte of a download, or to the answer to an upload:
        the median.  Of a mixed load only downloads count.
    :ivar late: the same, what 99 of 100 do not exceed
    :ivar to_s3: connections to S3, the most at once
    :ivar of_clients: connections of clients, the most at once
    :ivar errors: requests that have failed
    """

    kind: str
    clients: int
    side: str
    pair: int
    seconds: float
    speed: float
    cpu: float
    memory: float
    first: float
    late: float
    to_s3: int
    of_clients: int
    errors: int

    def __str__(self) -> str:
        return (
            f"{self.kind:9} {self.clients:4} {self.side:12} {self.seconds:7.2f} s "
            f"{self.speed:7.1f} MiB/s {self.cpu:6.2f} CPU s/GiB {self.memory:7.1f} MiB "
            f"{self.first:7.3f} s {self.late:7.3f} s, {self.to_s3} to S3, "
            f"{self.of_clients} of clients, {self.errors} errors"
        )


def loads(size: int) -> Iterator[Load]:
    """Yield the loads; of more clients each has fewer and smaller images.

    :param size: of a large image of the other cases, in MiB: a quarter of it is moved
        at least
    """
    for clients in CLIENTS:
        image = max(1, min(_LARGEST, size // clients))
        each = max(1, size // 4 // (image * clients))
        for kind in KINDS:
            yield Load(kind, clients, image, each)


def measure(
    ground: Ground, source: pathlib.Path, size: int, pairs: int
) -> Iterator[Growth]:
    """Yield the samples; the sides take turns, and the first one alternates."""
    ground.sql(f"SET GLOBAL max_connections = {4 * _THREADS}")
    pool = {"database": {"max_overflow": str(_THREADS)}}
    ground = dataclasses.replace(
        ground, threads=_THREADS, config=merged(ground.config, pool)
    )
    with contextlib.ExitStack() as stack:
        glances = [
            stack.enter_context(serving(ground, ground.s3, f"growth{number}", side))
            for number, side in enumerate((STOCK, GATEWAY, GATEWAY))
        ]
        sides = {STOCK: glances[:1], GATEWAY: glances[1:2], TWO: glances[1:]}
        course = Course(ground, sides, source)
        for load in loads(size):
            for pair in range(min(pairs, _MOST)):
                for side in SIDES if pair % 2 == 0 else SIDES[::-1]:
                    workers.wait_until_calm()
                    yield course.run(load, side, pair)


class Course:
    """Runs loads.

    :param sides: the Glances of each side; clients are spread over them
    :param source: a file that is at least as large as the largest image
    """

    def __init__(
        self, ground: Ground, sides: dict[str, list[Side]], source: pathlib.Path
    ) -> None:
        self._ground = ground
        self._sides = sides
        self._source = source
        self._stored: dict[int, list[str]] = {}

    def run(self, load: Load, side: str, pair: int) -> Growth:
        """Let all clients of a load work at once."""
        glances = self._sides[side]
        work = self._work(load, glances[0])
        for each in glances:
            each.workers.begin()
        port = parse.urlsplit(self._ground.s3.endpoint).port or 80
        with Watch() as watch, Peaks(glances, port) as peaks:
            done = self._at_once(load, glances, work)
        costs = [each.workers.end() for each in glances]
        self._drop([one for row in work for one, is_upload in row if is_upload])
        good = [(timing, is_upload) for timing, is_upload in done if timing]
        moved = len(good) * load.size * _MIB
        firsts = [t.first for t, up in good if not (up and load.kind == "mixed")]
        return Growth(
            kind=load.kind,
            clients=load.clients,
            side=side,
            pair=pair,
            seconds=watch.seconds,
            speed=moved / _MIB / watch.seconds,
            cpu=sum(cost.cpu for cost in costs) / max(moved / _GIB, 1e-9),
            memory=sum(cost.memory for cost in costs) / _MIB,
            first=quantile(firsts, 0.5),
            late=quantile(firsts, 0.99),
            to_s3=peaks.to_s3,
            of_clients=peaks.of_clients,
            errors=len(done) - len(good),
        )

    def _work(self, load: Load, side: Side) -> list[list[tuple[str, bool]]]:
        """Return for each client its images, and whether it uploads them."""
        turns = range(load.each)
        wanted = [[load.is_upload(c, t) for t in turns] for c in range(load.clients)]
        stored = iter(self._images(load.size, sum(row.count(False) for row in wanted)))
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            count = sum(row.count(True) for row in wanted)
            made = pool.map(lambda _: side.api.create(name="growth"), range(count))
            return [
                [(next(made if up else stored), up) for up in row] for row in wanted
            ]

    def _images(self, size: int, count: int) -> list[str]:
        """Return stored images, each for one download; more are uploaded if needed."""
        side = self._sides[GATEWAY][0]
        stored = self._stored.setdefault(size, [])
        while len(stored) < count:
            image = side.api.create(name="stored")
            side.client.upload(image, self._source, size * _MIB, chunked=False)
            stored.append(image)
        return stored

    def _at_once(
        self, load: Load, glances: list[Side], work: list[list[tuple[str, bool]]]
    ) -> list[tuple[Timing | None, bool]]:
        """Return how long each request took, ``None`` if it failed."""
        start = threading.Barrier(load.clients)

        def client(number: int) -> list[tuple[Timing | None, bool]]:
            side = glances[number // 2 % len(glances)]
            start.wait()
            return [
                (self._one(side, image, load.size * _MIB, upload=up), up)
                for image, up in work[number]
            ]

        with concurrent.futures.ThreadPoolExecutor(load.clients) as pool:
            rows = list(pool.map(client, range(load.clients)))
        return [found for row in rows for found in row]

    def _one(self, side: Side, image: str, size: int, *, upload: bool) -> Timing | None:
        try:
            if upload:
                return side.client.upload(image, self._source, size, chunked=False)
            return side.client.download(image, size)
        except (Failed, OSError, http.client.HTTPException) as error:
            print(f"{type(error).__name__}: {error}", flush=True)
            return None

    def _drop(self, images: list[str]) -> None:
        """Delete objects without Glance, which would take longer than the run."""
        client, dropped = self._ground.s3.client(), set(images)
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        keys = [
            {"Key": found["Key"]}
            for page in pages
            for found in page.get("Contents", [])
            if found["Key"].partition(".")[0] in dropped
        ]
        for start in range(0, len(keys), _PAGE):
            objects = {"Objects": keys[start : start + _PAGE], "Quiet": True}
            client.delete_objects(Bucket=BUCKET, Delete=objects)


class Peaks:
    """Counts the connections of some Glances again and again, in its context.

    :ivar to_s3: the most at once
    :ivar of_clients: the most at once
    """

    def __init__(self, glances: list[Side], s3_port: int) -> None:
        self.to_s3 = self.of_clients = 0
        self._glances = glances
        self._s3_port = s3_port
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self._over.wait(_LOOK):
            to_s3 = of_clients = 0
            for side in self._glances:
                port = parse.urlsplit(side.api.url).port or 80
                out, come = connections(side.workers.pids, self._s3_port, port)
                to_s3, of_clients = to_s3 + out, of_clients + come
            self.to_s3 = max(self.to_s3, to_s3)
            self.of_clients = max(self.of_clients, of_clients)

    def __enter__(self) -> Peaks:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join()


def quantile(values: list[float], part: float) -> float:
    """Return what a part of the values do not exceed; 0 if there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0

# SPDX-License-Identifier: Apache-2.0
"""Uploads and downloads of large images, stock and gateway in turn."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import pathlib
import statistics
import time
from collections.abc import Callable
from collections.abc import Iterator
from concurrent import futures

from boto3.s3.transfer import TransferConfig

from benchmarks import workers
from benchmarks.client import Timing
from benchmarks.field import BUCKET
from benchmarks.field import GATEWAY
from benchmarks.field import STOCK
from benchmarks.field import Field
from benchmarks.field import Side
from benchmarks.workers import Watch

BOTO3 = "boto3"
_MIB = 1024**2
_GIB = 1024**3


@dataclasses.dataclass(frozen=True)
class Case:
    """Something to measure.

    :ivar name: short, for ``--only`` and the figures
    :ivar line: how far away S3 is, as in ``field.LINES``
    :ivar upload: or download
    :ivar size: of an image, in MiB
    :ivar count: images at once
    :ivar sides: the sides to compare; ``boto3`` is its TransferManager, straight to S3
    :ivar pairs: how often at most, for what no target is set for
    :ivar images: how many images there are for all downloads; 0: one for each
    :ivar spread: seconds over which the downloads begin
    """

    name: str
    line: str
    upload: bool
    size: int
    count: int = 1
    chunked: bool = False
    sides: tuple[str, ...] = (STOCK, GATEWAY)
    pairs: int = 1000
    images: int = 0
    spread: float = 0.0

    @property
    def total(self) -> int:
        """Bytes of all images."""
        return self.size * self.count * _MIB


@dataclasses.dataclass(frozen=True)
class Sample:
    """One run.

    :ivar speed: in MiB/s
    :ivar cpu: CPU seconds of the workers per GiB, 0 for boto3
    :ivar memory: peak over idle of the worker, in MiB, 0 for boto3
    :ivar first: seconds to the first byte, the median of the images at once
    :ivar busy: how much of all processors was at work, S3's and the client's with it
    :ivar asked: what S3 has sent, as a multiple of the images; 0 if nobody counted
    """

    case: str
    side: str
    pair: int
    seconds: float
    speed: float
    cpu: float
    memory: float
    first: float
    busy: float
    asked: float

    def __str__(self) -> str:
        return (
            f"{self.case:16} {self.side:8} {self.seconds:8.2f} s "
            f"{self.speed:7.1f} MiB/s {self.cpu:6.2f} CPU s/GiB "
            f"{self.memory:7.1f} MiB {self.first:7.3f} s {self.busy:4.0%} busy "
            f"{self.asked:6.2f} x from S3"
        )


class Course:
    """Runs cases on a field.

    :param source: a file that is at least as large as the largest image
    """

    def __init__(self, field: Field, source: pathlib.Path) -> None:
        self._field = field
        self._source = source

    def run(self, case: Case, pairs: int) -> Iterator[Sample]:
        """Yield the samples of a case; the first side alternates from pair to pair."""
        with self._images(case) as images:
            for pair in range(min(pairs, case.pairs)):
                order = case.sides if pair % 2 == 0 else case.sides[::-1]
                for side in order:
                    workers.wait_until_calm()
                    yield self._sample(case, side, pair, images)

    @contextlib.contextmanager
    def _images(self, case: Case) -> Iterator[list[str]]:
        """What downloads read; an upload makes its own images each time."""
        if case.upload:
            yield []
            return
        side = self._field.sides[GATEWAY]
        count = case.images or case.count
        images = [side.api.create(name=case.name) for _ in range(count)]
        for image in images:
            side.client.upload(image, self._source, case.size * _MIB, chunked=False)
        try:
            yield images
        finally:
            for image in images:
                side.api.delete(image)

    def _sample(self, case: Case, side: str, pair: int, images: list[str]) -> Sample:
        before = self._field.came_from_s3()
        if side == BOTO3:
            watch, cost = self._boto3(case, images), workers.Cost(0, 0)
            timings = [Timing(0, watch.seconds)]
        else:
            watch, cost, timings = self._glance(case, self._field.sides[side], images)
        return Sample(
            case=case.name,
            side=side,
            pair=pair,
            seconds=watch.seconds,
            speed=case.total / _MIB / watch.seconds,
            cpu=cost.cpu / (case.total / _GIB),
            memory=cost.memory / _MIB,
            first=statistics.median(timing.first for timing in timings),
            busy=watch.busy,
            asked=(self._field.came_from_s3() - before)
            / (case.size * _MIB * (case.images or case.count)),
        )

    def _glance(
        self, case: Case, side: Side, images: list[str]
    ) -> tuple[Watch, workers.Cost, list[Timing]]:
        size = case.size * _MIB
        if not case.upload:
            pause = itertools.count()

            def download(image: str) -> Timing:
                time.sleep(next(pause) * case.spread / case.count)
                return side.client.download(image, size)

            return _timed(side, download, images * (case.count // len(images)))
        images = [side.api.create(name=case.name) for _ in range(case.count)]
        try:
            return _timed(
                side,
                lambda image: side.client.upload(
                    image, self._source, size, chunked=case.chunked
                ),
                images,
            )
        finally:
            for image in images:
                side.api.delete(image)

    def _boto3(self, case: Case, images: list[str]) -> Watch:
        """Let boto3's TransferManager do it, with its own defaults."""
        client = self._field.s3.client()
        config = TransferConfig()
        if case.upload:
            with self._source.open("rb") as file, Watch() as watch:
                client.upload_fileobj(
                    _First(file, case.total), BUCKET, "boto3", Config=config
                )
            client.delete_object(Bucket=BUCKET, Key="boto3")
            return watch
        found = client.list_objects_v2(Bucket=BUCKET, Prefix=images[0])["Contents"]
        with Watch() as watch:
            client.download_fileobj(BUCKET, found[0]["Key"], _Nowhere(), Config=config)
        return watch


def _timed(
    side: Side, work: Callable[[str], Timing], images: list[str]
) -> tuple[Watch, workers.Cost, list[Timing]]:
    with futures.ThreadPoolExecutor(len(images)) as pool:
        side.workers.begin()
        with Watch() as watch:
            timings = list(pool.map(work, images))
        return watch, side.workers.end(), timings


class _Nowhere:
    """A file that keeps nothing."""

    def write(self, data: bytes) -> int:
        return len(data)

    def seek(self, position: int, whence: int = 0) -> int:
        return position

    def seekable(self) -> bool:
        return True


class _First:
    """The first bytes of a file."""

    def __init__(self, file: object, size: int) -> None:
        self._file = file
        self._left = size

    def read(self, count: int = -1) -> bytes:
        wanted = self._left if count < 0 else min(count, self._left)
        data: bytes = self._file.read(wanted)  # type: ignore[attr-defined]
        self._left -= len(data)
        return data

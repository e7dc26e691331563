# SPDX-License-Identifier: Apache-2.0
"""The mix of ``warp mixed`` as operations on images, and a report in warp's form.

A GET downloads an image, a STAT shows it, a PUT creates one and uploads its data, a
DELETE deletes one.  Each of those who work at once has images of its own, so that
nobody deletes what another reads.
"""

from __future__ import annotations

import dataclasses
import pathlib
import random
import statistics
import time
from collections.abc import Iterator
from collections.abc import Sequence
from concurrent import futures

from benchmarks.client import Client
from benchmarks.client import Failed
from tests.support.clients.api import Api

#: What warp does of each, in percent.
SHARES = {"GET": 44, "STAT": 30, "PUT": 15, "DELETE": 10}

_MIB = 1024**2


@dataclasses.dataclass(frozen=True)
class Done:
    """An operation that went well.

    :ivar size: bytes that were moved
    :ivar ended: when, as ``time.monotonic`` says
    """

    name: str
    size: int
    seconds: float
    ended: float


class Mix:
    """Those who work at once on a Glance.

    :param source: a file whose first bytes are each image's data
    :param size: of an image, in bytes
    """

    def __init__(
        self, url: str, token: str, source: pathlib.Path, size: int, at_once: int = 20
    ) -> None:
        self._size = size
        self._hands = [
            _Hand(number, url, token, source, size) for number in range(at_once)
        ]

    def run(self, seconds: float, images: int) -> Report:
        """Upload so many images, let all work on them, and delete what is left.

        :raises Failed: if an answer is not what it has to be
        """
        try:
            self._all("begin", images // len(self._hands) or 1)
            started = time.monotonic()
            done = self._all("work", started + seconds)
        finally:
            self._all("leave")
        return Report(done, started, len(self._hands))

    def _all(self, what: str, *arguments: float) -> list[Done]:
        with futures.ThreadPoolExecutor(len(self._hands)) as pool:
            running = [
                pool.submit(getattr(hand, what), *arguments) for hand in self._hands
            ]
            return [done for each in running for done in each.result()]


class _Hand:
    """One of those who work at once; what it does is chance, the same in every run."""

    def __init__(
        self, number: int, url: str, token: str, source: pathlib.Path, size: int
    ) -> None:
        self._api, self._client = Api(url, token), Client(url, token)
        self._source, self._size = source, size
        self._random = random.Random(number)  # noqa: S311
        self._images: list[str] = []

    def begin(self, images: int) -> list[Done]:
        for _ in range(images):
            self._put()
        return []

    def work(self, until: float) -> list[Done]:
        done = []
        while (began := time.monotonic()) < until:
            [name] = self._random.choices(list(SHARES), list(SHARES.values()))
            if name == "DELETE" and len(self._images) < 2:
                continue
            size = getattr(self, f"_{name.lower()}")()
            ended = time.monotonic()
            done.append(Done(name, size, ended - began, ended))
        return done

    def leave(self) -> list[Done]:
        while self._images:
            self._delete()
        return []

    def _get(self) -> int:
        self._client.download(self._random.choice(self._images), self._size)
        return self._size

    def _stat(self) -> int:
        self._client.get(f"/v2/images/{self._random.choice(self._images)}")
        return 0

    def _put(self) -> int:
        image = self._api.create(name="mix")
        self._images.append(image)
        self._client.upload(image, self._source, self._size, chunked=False)
        return self._size

    def _delete(self) -> int:
        image = self._images.pop(self._random.randrange(len(self._images)))
        answer = self._api.delete(image)
        if answer.status != 204:
            raise Failed(f"delete: {answer.status} {answer.body[:200]!r}")
        return 0


class Report:
    """What was done, in warp's form.

    :ivar done: all operations
    """

    def __init__(self, done: Sequence[Done], started: float, at_once: int) -> None:
        self.done = done
        self._at_once = at_once
        self._seconds = max(each.ended for each in done) - started

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def rate(self, name: str = "") -> tuple[float, float]:
        """Return MiB and operations per second, of one kind or of all."""
        found = [each for each in self.done if name in ("", each.name)]
        moved = sum(each.size for each in found) / _MIB
        return moved / self._seconds, len(found) / self._seconds

    def median(self, name: str) -> float:
        """Return the median of the milliseconds that a kind of operation took."""
        return statistics.median(self._times(name))

    def _times(self, name: str) -> list[float]:
        return sorted(each.seconds * 1000 for each in self.done if each.name == name)

    def _lines(self) -> Iterator[str]:
        for name in sorted(SHARES):
            yield self._head(name)
            yield f" * Average: {self._average(name)}"
            times = self._times(name)
            marks = [f"{n}%: {_at(times, n):.1f}ms" for n in (50, 90, 99)]
            marks += [f"Fastest: {times[0]:.1f}ms", f"Slowest: {times[-1]:.1f}ms"]
            mean = f"Avg: {statistics.fmean(times):.1f}ms"
            spread = f"StdDev: {statistics.pstdev(times):.1f}ms"
            yield f" * Reqs: {', '.join([mean, *marks, spread])}"
            yield ""
        yield self._head("Total")
        yield f" * Average: {self._average('')}"

    def _head(self, name: str) -> str:
        ran = f"{self._seconds:.0f}s"
        return f"Report: {name}. Concurrency: {self._at_once}. Ran: {ran}"

    def _average(self, name: str) -> str:
        speed, count = self.rate(name)
        moved = f"{speed:.2f} MiB/s, " if speed else ""
        return f"{moved}{count:.2f} obj/s"


def _at(times: Sequence[float], percent: int) -> float:
    """Return the value that so many percent of sorted ones do not exceed."""
    return times[min(len(times) - 1, len(times) * percent // 100)]

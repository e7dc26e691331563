# SPDX-License-Identifier: Apache-2.0
"""Work on many images: how many at once, how fast, and what there is after Ctrl-C."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import threading
import time
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from concurrent import futures
from typing import TypeVar

from s3gateway.manage import arguments
from s3gateway.manage.output import Output
from s3gateway.manage.progress import Bar

Item = TypeVar("Item")
Result = TypeVar("Result")

_SAVED = 1.0  # seconds whose bytes may be moved at once after a pause


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare how many images are worked on at once, and how fast."""
    parser.add_argument(
        "--concurrency",
        type=arguments.number,
        metavar="N",
        default=1,
        help="work on N images at once (default: 1)",
    )
    parser.add_argument(
        "--bandwidth",
        type=arguments.bandwidth,
        metavar="RATE",
        default=0,
        help="copy and read at most so many bytes a second in all, as 100MiB",
    )


def declare_rate(parser: argparse.ArgumentParser, what: str) -> None:
    """Declare how many things a second are worked on."""
    parser.add_argument(
        "--rate",
        type=arguments.number,
        metavar="N",
        default=0,
        help=f"at most N {what} a second, so that others are not slowed down",
    )


def time_needed(size: int, rate: int) -> str:
    """Return how long so many bytes take at a bandwidth, in words."""
    if not rate:
        return "how long that takes is not known without --bandwidth"
    seconds = datetime.timedelta(seconds=size // rate)
    return f"at least {seconds} at --bandwidth"


class Bandwidth:
    """A token bucket: so many bytes a second, for all who take from it.

    :param rate: in bytes a second, without a limit if 0
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._lock = threading.Lock()
        self._paid_until = time.monotonic() - _SAVED

    def take(self, count: int) -> float:
        """Take bytes; return how many seconds to wait for them."""
        if not self._rate:
            return 0.0
        with self._lock:
            now = time.monotonic()
            self._paid_until = max(self._paid_until, now - _SAVED) + count / self._rate
            return max(self._paid_until - now, 0.0)


class Pace:
    """Has one thread do so many things a second.

    :param rate: without a limit if 0
    """

    def __init__(self, rate: int) -> None:
        self._bucket = Bandwidth(rate)

    def wait(self) -> None:
        """Wait until it is time for the next thing."""
        time.sleep(self._bucket.take(1))


UNLIMITED = Pace(0)


class Work:
    """Does the same with many images.

    :param concurrency: how many at once; one is done in the caller's own thread
    :param bandwidth: bytes a second for all of them, without a limit if 0
    """

    def __init__(
        self, output: Output, bar: Bar, *, concurrency: int = 1, bandwidth: int = 0
    ) -> None:
        self._output = output
        self._bar = bar
        self._concurrency = concurrency
        self._bandwidth = Bandwidth(bandwidth)
        self._stopped = threading.Event()

    @classmethod
    def of(cls, words: argparse.Namespace, output: Output, bar: Bar) -> Work:
        """Return the work of a command line that ``declare`` has read."""
        return cls(
            output, bar, concurrency=words.concurrency, bandwidth=words.bandwidth
        )

    def moved(self, count: int) -> None:
        """Take note of bytes that were copied or read, and wait if it went too fast.

        :raises KeyboardInterrupt: in all threads once one of them was interrupted
        """
        self._bar.moved(count)
        if self._stopped.wait(self._bandwidth.take(count)):
            raise KeyboardInterrupt

    def each(
        self,
        do: Callable[[Item], Iterable[Result]],
        items: Sequence[Item],
        line: Callable[[Result], str],
    ) -> list[Result]:
        """Return what came of the items, as far as they were done before Ctrl-C.

        :param do: called with each item
        :param line: tells what came of one, for a log
        """
        found: list[Result] = []

        def one(item: Item) -> None:
            for result in do(item):
                found.append(result)
                self._output.finished(line(result))

        with self._output.interruptible():
            if self._concurrency == 1:
                for item in items:
                    one(item)
            else:
                self._at_once(one, items)
        return found

    def _at_once(self, one: Callable[[Item], None], items: Sequence[Item]) -> None:
        with contextlib.ExitStack() as stack:
            pool = stack.enter_context(futures.ThreadPoolExecutor(self._concurrency))
            # Before the pool waits for its threads.
            stack.callback(pool.shutdown, wait=False, cancel_futures=True)
            try:
                running = [pool.submit(one, item) for item in items]
                for done in futures.as_completed(running):
                    done.result()
            except BaseException:
                self._stopped.set()
                raise

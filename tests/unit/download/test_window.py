# SPDX-License-Identifier: Apache-2.0
"""The width of a window follows which side waits."""

from __future__ import annotations

import functools
import sys
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import pytest

from s3gateway.download.failover import Copy
from s3gateway.download.pieces import Pieces
from s3gateway.download.window import Window
from s3gateway.http.ranges import Span
from s3gateway.streams.buffers import SLAB
from s3gateway.streams.buffers import Budget
from s3gateway.streams.buffers import Slabs
from tests.support.s3.memory import MemoryStore

FIRST = 8  # pieces
SIZE = 5 * FIRST * SLAB
DATA = b"".join(bytes([number]) * SLAB for number in range(5 * FIRST))


class Pool(futures.Executor):
    """Fetches pieces when the test says so."""

    def __init__(self) -> None:
        self.asked = 0
        self._under_way: list[Callable[[], Any]] = []

    def submit(
        self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> futures.Future[Any]:
        self.asked += 1
        self._under_way.append(functools.partial(fn, *args, **kwargs))
        return futures.Future()  # nobody asks; a piece has its own

    def fetch(self, count: int = sys.maxsize) -> None:
        """Fetch the pieces that were asked for first, or all of them."""
        now, self._under_way = self._under_way[:count], self._under_way[count:]
        for work in now:
            work()


class Tired(Pool):
    """Gives no thread for any piece behind the first few.

    :param most: how many pieces there are threads for
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def submit(
        self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> futures.Future[Any]:
        if self.asked == self._most:
            raise RuntimeError("can't start new thread")
        return super().submit(fn, *args, **kwargs)


def opened(
    pool: Pool,
    widest: int,
    budget: Budget | None = None,
    store: MemoryStore | None = None,
) -> Window:
    store = store or MemoryStore()
    store.objects_by_key["key"] = DATA
    budget = budget or Budget(SIZE, "download")
    pieces = Pieces(SLAB, widest, budget, Slabs(0))
    reading = pieces.join(Copy(store, "", "key"), SIZE)
    return Window(reading, Span(0, SIZE), pool=pool)


@pytest.fixture
def pool() -> Pool:
    return Pool()


@pytest.fixture
def window(pool: Pool, request: pytest.FixtureRequest) -> Iterator[Window]:
    window = opened(pool, request.param)
    yield window
    window.close()


@pytest.mark.parametrize("window", [FIRST], indirect=True)
def test_pieces_that_come_together_do_not_narrow_it(window: Window, pool: Pool) -> None:
    """A client that takes them at once waits for those behind them."""
    pool.fetch(FIRST // 2)
    for _ in range(FIRST // 2):
        assert len(window.read()) == SLAB
    assert pool.asked == FIRST // 2 + FIRST


@pytest.mark.parametrize("window", [FIRST], indirect=True)
def test_it_narrows_when_the_store_waits_for_the_client(
    window: Window, pool: Pool
) -> None:
    for _ in range(3 * FIRST):
        pool.fetch()
        assert len(window.read()) == SLAB
    assert pool.asked <= 3 * FIRST + 1


@pytest.mark.parametrize("window", [2 * FIRST], indirect=True)
def test_it_grows_when_the_client_waits_for_the_store(
    window: Window, pool: Pool
) -> None:
    later = threading.Thread(target=fetch_late, args=[pool])
    later.start()
    assert len(window.read()) == SLAB
    later.join()
    assert pool.asked == 1 + 2 * FIRST


def fetch_late(pool: Pool) -> None:
    """Fetch a piece when the client waits for it, which has more of them begun."""
    deadline = time.monotonic() + 10
    while pool.asked < 1 + 2 * FIRST and time.monotonic() < deadline:
        time.sleep(0.001)
    pool.fetch(1)


@pytest.mark.parametrize("threads", [0, 1, FIRST - 1, FIRST + 3])
def test_it_runs_out_where_there_is_no_thread(threads: int) -> None:
    """And has given back all memory that it counted."""
    pool = Tired(threads)
    budget = Budget(FIRST * SLAB, "download")
    window = opened(pool, FIRST, budget)
    received = b""
    while True:
        pool.fetch()
        if not (data := window.read()):
            break
        received += data
    assert received == DATA[: threads * SLAB]
    assert window.at == threads * SLAB
    window.close()
    assert budget.take(FIRST * SLAB)


@pytest.mark.parametrize(
    "failure", [MemoryError(), OSError(12, "Cannot allocate memory"), SystemExit(1)]
)
def test_a_piece_that_fails_is_told_of(failure: BaseException) -> None:
    """Whatever it was, and no byte behind it is handed out."""

    def before(request: str, key: str) -> None:
        if request == "more" and store.requests.count("more") == 3:
            raise failure

    store = MemoryStore()
    store.before = before
    pool = Pool()
    window = opened(pool, FIRST, store=store)
    pool.fetch()
    assert window.read() + window.read() == DATA[: 2 * SLAB]
    for _ in range(2):
        with pytest.raises(type(failure)):
            window.read()
    assert window.at == 2 * SLAB
    window.close()
    assert store.open_readers == 0

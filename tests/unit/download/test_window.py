# SPDX-License-Identifier: Apache-2.0
"""How wide a window is: it follows who waits for whom."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from collections.abc import Iterator

import pytest

from s3gateway.download.window import Window
from s3gateway.http.ranges import Span
from s3gateway.streams.buffers import SLAB
from s3gateway.streams.buffers import Budget
from s3gateway.streams.buffers import Slabs
from tests.support.s3.memory import MemoryStore

FIRST = 8  # pieces
SIZE = 5 * FIRST * SLAB


class Pool:
    """Fetches pieces when the test says so, in place of the window's threads."""

    def __init__(self) -> None:
        self.asked = 0
        self._under_way: list[Callable[[], None]] = []

    def submit(self, work: Callable[[], None]) -> None:
        self.asked += 1
        self._under_way.append(work)

    def shutdown(self, **_: bool) -> None: ...

    def fetch(self, count: int = sys.maxsize) -> None:
        """Fetch the pieces that were asked for first, or all of them."""
        now, self._under_way = self._under_way[:count], self._under_way[count:]
        for work in now:
            work()


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Pool:
    pool = Pool()
    monkeypatch.setattr(
        "s3gateway.download.window.futures.ThreadPoolExecutor", lambda *_: pool
    )
    return pool


@pytest.fixture
def window(pool: Pool, request: pytest.FixtureRequest) -> Iterator[Window]:
    store = MemoryStore()
    store.objects_by_key["key"] = bytes(SIZE)
    window = Window(
        lambda span: store.read("key", span, size=SIZE),
        Span(0, SIZE),
        piece=SLAB,
        widest=request.param,
        budget=Budget(SIZE, "download"),
        slabs=Slabs(0),
    )
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
    later = threading.Timer(0.1, pool.fetch, [1])
    later.start()
    assert len(window.read()) == SLAB
    later.join()
    assert pool.asked == 1 + 2 * FIRST

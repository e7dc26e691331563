# SPDX-License-Identifier: Apache-2.0
"""How wide a window is: it follows who waits for whom."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from collections.abc import Iterator

import pytest

from s3gateway.buffers import SLAB
from s3gateway.buffers import Budget
from s3gateway.buffers import Slabs
from s3gateway.ranges import Span
from s3gateway.window import Window

FIRST = 8  # pieces


class Zeros:
    """An object of nothing but zeros."""

    etag = ""
    ranged = True

    def read(self, limit: int) -> bytes:
        return bytes(limit)

    def fill(self, buffer: memoryview) -> None:
        buffer[:] = bytes(len(buffer))

    def cut(self) -> None: ...

    def close(self) -> None: ...


class Store:
    """Fetches pieces when the test says so, in place of the window's threads."""

    def __init__(self, *_: object) -> None:
        self.asked = 0
        self._under_way: list[Callable[[], None]] = []

    def submit(self, fetch: Callable[[], None]) -> None:
        self.asked += 1
        self._under_way.append(fetch)

    def shutdown(self, **_: bool) -> None: ...

    def answer(self, count: int = sys.maxsize) -> None:
        """Fetch the pieces that were asked for first, or all of them."""
        now, self._under_way = self._under_way[:count], self._under_way[count:]
        for fetch in now:
            fetch()


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    store = Store()
    monkeypatch.setattr("s3gateway.window.futures.ThreadPoolExecutor", lambda *_: store)
    return store


@pytest.fixture
def window(store: Store, request: pytest.FixtureRequest) -> Iterator[Window]:
    window = Window(
        lambda _: Zeros(),
        Span(0, 100 * SLAB),
        piece=SLAB,
        widest=request.param,
        budget=Budget(100 * SLAB, "download"),
        slabs=Slabs(0),
    )
    yield window
    window.close()


@pytest.mark.parametrize("window", [FIRST], indirect=True)
def test_pieces_that_come_together_do_not_narrow_it(
    window: Window, store: Store
) -> None:
    """A client that takes them at once waits for those behind them."""
    store.answer(FIRST // 2)
    for _ in range(FIRST // 2):
        assert len(window.read()) == SLAB
    assert store.asked == FIRST // 2 + FIRST


@pytest.mark.parametrize("window", [FIRST], indirect=True)
def test_it_narrows_when_the_store_waits_for_the_client(
    window: Window, store: Store
) -> None:
    for _ in range(3 * FIRST):
        store.answer()
        assert len(window.read()) == SLAB
    assert store.asked <= 3 * FIRST + 1


@pytest.mark.parametrize("window", [2 * FIRST], indirect=True)
def test_it_grows_when_the_client_waits_for_the_store(
    window: Window, store: Store
) -> None:
    later = threading.Timer(0.1, store.answer, [1])
    later.start()
    assert len(window.read()) == SLAB
    later.join()
    assert store.asked == 1 + 2 * FIRST

# SPDX-License-Identifier: Apache-2.0
"""Pieces and windows that are given up: nothing is read, kept or mixed up for them."""

from __future__ import annotations

import mmap
import threading
import weakref

import pytest

from s3gateway.download.piece import Piece
from s3gateway.download.pieces import Pieces
from s3gateway.errors import ObjectNotFound
from s3gateway.errors import StoreUnavailable
from s3gateway.http.answer_body import AnswerBody
from s3gateway.http.ranges import Span
from s3gateway.streams.buffers import SLAB
from s3gateway.streams.buffers import Budget
from s3gateway.streams.buffers import Slabs
from tests.support.s3.memory import MIB
from tests.support.s3.memory import MemoryReader
from tests.support.s3.memory import MemoryStore
from tests.support.s3.memory import store_settings
from tests.unit.download.delivering import deliver
from tests.unit.download.delivering import store

SIZE = 24 * MIB
PIECE = 2 * MIB
DATA = b"".join(bytes([number]) * MIB for number in range(24))


def fetching() -> bool:
    """Whether this thread reads a piece."""
    return threading.current_thread().name.startswith("s3-piece")


class Watched(Slabs):
    """Knows which of its slabs are still in memory."""

    def __init__(self) -> None:
        super().__init__(0)
        self.taken: weakref.WeakSet[mmap.mmap] = weakref.WeakSet()

    def take(self) -> mmap.mmap:
        slab = super().take()
        self.taken.add(slab)
        return slab


@pytest.mark.parametrize(("at", "most"), [("read", 0), ("more", 2 * SLAB)])
def test_a_piece_that_is_dropped_is_read_no_further(at: str, most: int) -> None:
    """Although S3 has not answered yet; and it keeps no memory."""
    fast, slabs = store(data=DATA), Watched()
    asked, dropped = threading.Event(), threading.Event()

    def before(request: str, key: str) -> None:
        if request == at and fast.sent == most:
            asked.set()
            assert dropped.wait(20)

    fast.before = before
    with slabs.in_use():
        piece = Piece(
            Span(0, 8 * SLAB),
            lambda span: fast.read("key", span, size=SIZE),
            slabs,
            "fast",
        )
        thread = threading.Thread(target=piece.fetch)
        thread.start()
        assert asked.wait(20)
        piece.drop()
        dropped.set()
        thread.join()
    assert fast.sent == most
    assert len(slabs.taken) <= 1  # what was to be read next
    assert fast.open_readers == 0
    assert piece.has_failed


class Rewritten(MemoryStore):
    """Has another ETag for the same data, as of an upload in other parts."""

    def read(
        self, key: str, span: Span, *, size: int, etag: str = "", bucket: str = ""
    ) -> MemoryReader:
        if etag not in ("", '"another"'):
            raise ObjectNotFound(f"Store {self.name} has another version")
        reader = super().read(key, span, size=size)
        reader.etag = '"another"'
        return reader


def until(body: AnswerBody, count: int) -> bytes:
    received = b""
    while len(received) < count:
        received += next(body)
    return received


def test_a_window_ends_when_its_copy_is_given_up() -> None:
    """What follows is of the next copy, which has another ETag."""
    fast, cheap = store("fast", data=DATA), Rewritten(store_settings("cheap"))
    cheap.objects_by_key["key"] = DATA
    shared = Pieces(PIECE, 4, Budget(SIZE, "download"), Slabs(4))
    bodies = [deliver(fast, cheap, pieces=shared) for _ in range(2)]
    received = until(bodies[0], 1)  # its window is open, and begins with a later piece
    fast.before = lambda request, key: broken_off(not fetching())
    received += until(bodies[0], PIECE)
    fast.before = lambda request, key: broken_off(True)
    for body in bodies:
        assert (received if body is bodies[0] else b"") + b"".join(body) == DATA


def broken_off(now: bool) -> None:
    if now:
        raise StoreUnavailable("Store fast broke off")


def test_a_download_stays_while_it_reads_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If it left, what two have read would go, although a third one may come."""
    fast = store(data=DATA)
    shared = Pieces(PIECE, 4, Budget(0, "download"), Slabs(4))
    bodies = [deliver(fast, pieces=shared) for _ in range(2)]
    monkeypatch.delattr(Pieces, "join")
    assert [b"".join(body) for body in bodies] == [DATA, DATA]

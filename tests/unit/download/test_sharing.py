# SPDX-License-Identifier: Apache-2.0
"""Downloads of one object at the same time: S3 is asked once, and nobody waits."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from concurrent import futures

import pytest

from s3gateway.download.failover import Copy
from s3gateway.download.piece import Piece
from s3gateway.download.pieces import Pieces
from s3gateway.errors import StoreError
from s3gateway.errors import StoreUnavailable
from s3gateway.http.answer_body import AnswerBody
from s3gateway.http.ranges import Span
from s3gateway.monitoring import metrics
from s3gateway.streams.buffers import Budget
from s3gateway.streams.buffers import Slabs
from tests.support.clock import Clock
from tests.support.s3.memory import MIB
from tests.support.s3.memory import MemoryStore
from tests.unit.download.delivering import all_closed
from tests.unit.download.delivering import deliver
from tests.unit.download.delivering import store

SIZE = 24 * MIB
DATA = random.Random(2).randbytes(SIZE)  # noqa: S311
PIECE = 2 * MIB


class Ground:
    """A store with one object, and the pieces of all downloads.

    :ivar budget: the memory for pieces
    """

    def __init__(self, memory: int = SIZE, widest: int = 4) -> None:
        self.memory = memory
        self.budget = Budget(memory, "download")
        self.pieces = Pieces(PIECE, widest, self.budget, Slabs(4))
        self.store = store(data=DATA)

    def begin(self, *, span: Span | None = None) -> AnswerBody:
        """Begin a download."""
        return deliver(self.store, span=span, pieces=self.pieces)

    def settle(self) -> None:
        """Wait until all pieces that were begun are in memory."""
        deadline = time.monotonic() + 60
        while not all(piece.is_complete for piece in self._begun()):
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def _begun(self) -> list[Piece]:
        with self.pieces.lock:
            found = self.pieces._objects.values()
            return [piece for each in found for piece in each.pieces.values()]

    def nothing_is_left(self) -> bool:
        """Whether all memory is back, no object is kept, and no connection is open."""
        if self.pieces._objects or not self.budget.take(self.memory):
            return False
        self.budget.give_back(self.memory)
        return all_closed(self.store)


@pytest.fixture
def ground() -> Ground:
    return Ground()


def rest_of(body: AnswerBody) -> bytes:
    """Read a body to its end, as a client that takes it as fast as it comes."""
    return b"".join(body)


def until(body: AnswerBody, count: int) -> bytes:
    """Read at least this much of a body."""
    received = b""
    while len(received) < count:
        received += next(body)
    return received


def test_sixteen_at_once_read_it_once(ground: Ground) -> None:
    """But for what the first one had begun to read by itself."""
    with futures.ThreadPoolExecutor(16) as pool:
        bodies = list(pool.map(lambda _: ground.begin(), range(16)))
        heads = [until(body, PIECE) for body in bodies]  # or it might be the last one
        rests = pool.map(rest_of, bodies)
        assert {h + r for h, r in zip(heads, rests, strict=True)} == {DATA}
    assert ground.store.sent <= SIZE + 2 * PIECE
    assert ground.nothing_is_left()


def test_one_alone_has_one_connection(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as the store is not slow."""
    monkeypatch.setattr("s3gateway.download.pace.time", Clock())
    assert rest_of(ground.begin()) == DATA
    assert ground.store.requests == ["read", *["more"] * 25]
    assert ground.nothing_is_left()


def test_a_stalled_download_holds_nobody_up(ground: Ground) -> None:
    stalled = [ground.begin() for _ in range(3)]
    begun = [until(body, 1) for body in stalled]
    assert rest_of(ground.begin()) == DATA
    for body, first in zip(stalled, begun, strict=True):
        assert first + rest_of(body) == DATA
    assert ground.store.sent <= SIZE + 2 * PIECE
    assert ground.nothing_is_left()


def test_without_memory_a_late_one_reads_by_itself() -> None:
    """A piece that two need goes for one that is needed sooner."""
    ground = Ground(memory=4 * PIECE)
    late, early = ground.begin(), ground.begin()
    begun = until(late, 1)
    assert rest_of(early) == DATA
    assert begun + rest_of(late) == DATA
    assert ground.store.sent <= 2 * SIZE
    assert ground.nothing_is_left()


def test_a_piece_that_is_needed_sooner_stays() -> None:
    """A piece far ahead is not worth one that a slower download needs before."""
    ground = Ground(memory=2 * PIECE)
    copy = Copy(ground.store, "fast", "key")
    early, late = (ground.pieces.join(copy, SIZE) for _ in range(2))
    for reading in (early, late):
        reading.needs(Span(0, SIZE))

    def read(at: int) -> Piece:
        piece = early.take(at, Piece.fetch)
        assert piece is not None
        early.let_go(piece, at + PIECE)
        return piece

    read(0)
    piece = read(PIECE)
    assert early.begin(6 * PIECE, Piece.fetch) is None
    assert late.hold(piece)
    late.let_go(piece, 0)
    assert early.begin(2 * PIECE, Piece.fetch) is not None
    assert not late.hold(piece)
    for reading in (early, late):
        reading.leave()
    assert ground.nothing_is_left()


def test_slow_downloads_leave_memory_to_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """What they read ahead does not fill all of it."""
    monkeypatch.setattr("s3gateway.download.body._FIRST_PIECE", 60.0)
    ground = Ground(memory=32 * PIECE, widest=8)
    stores = [store(f"slow-{number}", data=DATA) for number in range(4)]
    slow = [deliver(each, pieces=ground.pieces) for each in stores for _ in range(2)]
    for body in slow:
        until(body, 1)
    ground.settle()
    ground.store.before = lambda request, key: time.sleep(0.005)
    with futures.ThreadPoolExecutor(4) as pool:
        bodies = list(pool.map(lambda _: ground.begin(), range(4)))
        assert set(pool.map(rest_of, bodies)) == {DATA}
    assert ground.store.sent <= 2 * SIZE
    for body in slow:
        body.close()
    assert ground.nothing_is_left()


def test_one_that_begins_late_finds_what_is_in_memory(ground: Ground) -> None:
    early = [ground.begin() for _ in range(2)]
    begun = [until(body, SIZE - 1) for body in early]
    assert rest_of(ground.begin()) == DATA
    for body, first in zip(early, begun, strict=True):
        assert first + rest_of(body) == DATA
    assert ground.store.sent <= SIZE + 2 * PIECE
    assert ground.nothing_is_left()


def test_one_alone_keeps_no_memory(ground: Ground) -> None:
    """Of those that have been read together with another one."""
    first, second = ground.begin(), ground.begin()
    begun = until(first, SIZE // 2)
    second.close()
    begun += until(first, 2 * PIECE)
    assert ground.budget.take(ground.memory - 6 * PIECE)
    ground.budget.give_back(ground.memory - 6 * PIECE)
    assert begun + rest_of(first) == DATA
    assert ground.nothing_is_left()


def test_no_memory_at_all() -> None:
    ground = Ground(memory=0)
    bodies = [ground.begin() for _ in range(2)]
    assert [rest_of(body) for body in bodies] == [DATA, DATA]
    assert ground.store.requests.count("read") == 2


def test_others_go_on_with_what_a_closed_one_has_begun(ground: Ground) -> None:
    first, second = ground.begin(), ground.begin()
    second_begun = until(second, 1)
    third = ground.begin()
    second.close()
    first.close()
    assert rest_of(third) == DATA
    assert DATA.startswith(second_begun)
    assert ground.store.sent <= SIZE + 2 * PIECE
    assert ground.nothing_is_left()


def test_all_that_close_leave_nothing(ground: Ground) -> None:
    ground.store.before = lambda request, key: time.sleep(0.01)
    bodies = [ground.begin() for _ in range(4)]
    for body in bodies:
        until(body, PIECE)
    for body in bodies:
        body.close()
    assert ground.nothing_is_left()
    assert ground.store.sent < SIZE


@pytest.mark.parametrize(
    "span", [Span(5, 3 * MIB), Span(7 * MIB, 7 * MIB + 1), Span(SIZE - 9, SIZE)]
)
def test_a_range_joins_in(ground: Ground, span: Span) -> None:
    """A range reads what is there, and no more from S3 than what it needs."""
    whole = [ground.begin() for _ in range(2)]
    begun = [until(body, 1) for body in whole]
    ground.settle()
    before = ground.store.sent
    assert rest_of(ground.begin(span=span)) == DATA[span.start : span.stop]
    assert ground.store.sent - before <= span.length
    for body, first in zip(whole, begun, strict=True):
        assert first + rest_of(body) == DATA
    assert ground.nothing_is_left()


def test_one_range_reads_no_more_than_it_needs(ground: Ground) -> None:
    ground.store.before = lambda request, key: time.sleep(0.05)
    span = Span(3, 12 * MIB + 7)
    assert rest_of(ground.begin(span=span)) == DATA[span.start : span.stop]
    assert ground.store.sent <= span.length + 2 * PIECE


def test_a_piece_that_fails_is_taken_up_by_another(ground: Ground) -> None:
    """The download that had asked for it goes on by itself, and only that one.

    All are behind what the first one has read alone, so that none asks for it again.
    """
    ground.store.before = lambda request, key: time.sleep(0.01)
    bodies = [ground.begin() for _ in range(8)]
    heads = [until(body, PIECE) for body in bodies]
    failed = threading.Event()
    straight = 0

    def before(request: str, key: str) -> None:
        nonlocal straight
        time.sleep(0.01)
        fetching = threading.current_thread().name.startswith("s3-piece")
        straight += request == "read" and not fetching
        if request == "more" and fetching and not failed.is_set():
            failed.set()
            raise MemoryError

    ground.store.before = before
    with futures.ThreadPoolExecutor(8) as pool:
        rests = pool.map(rest_of, bodies)
        assert {h + r for h, r in zip(heads, rests, strict=True)} == {DATA}
    assert failed.is_set()
    assert straight <= 1
    assert ground.store.sent <= 2 * SIZE
    assert ground.nothing_is_left()


def counted(name: str, store: str = "fast") -> float:
    found = metrics.REGISTRY.get_sample_value(f"s3gateway_{name}", {"store": store})
    return found or 0.0


def test_a_piece_that_is_tried_again_counts_for_its_store(ground: Ground) -> None:
    broken = threading.Event()

    def before(request: str, key: str) -> None:
        fetching = threading.current_thread().name.startswith("s3-piece")
        if request == "more" and fetching and not broken.is_set():
            broken.set()
            raise StoreUnavailable("Store fast broke off")

    ground.store.before = before
    retries = counted("store_retries_total")
    bodies = [ground.begin() for _ in range(2)]
    assert [rest_of(body) for body in bodies] == [DATA, DATA]
    assert broken.is_set()
    assert counted("store_retries_total") == retries + 1


def test_shared_bytes_count_when_their_download_ends(ground: Ground) -> None:
    """All bytes of a download do: else more than all were shared meanwhile."""
    shared = counted("shared_bytes_total")
    bodies = [ground.begin() for _ in range(2)]
    begun = [until(body, SIZE - 1) for body in bodies]
    assert counted("shared_bytes_total") == shared
    for body, first in zip(bodies, begun, strict=True):
        assert first + rest_of(body) == DATA
    assert SIZE - 2 * PIECE <= counted("shared_bytes_total") - shared <= SIZE


def test_a_store_that_is_not_known_to_know_ranges_is_asked_for_one(
    ground: Ground,
) -> None:
    """It may send the whole object for each of them."""
    ground.store.knows_ranges = None
    asked: list[bool] = []

    def before(request: str, key: str) -> None:
        if request == "read":
            fetching = threading.current_thread().name.startswith("s3-piece")
            asked.append(fetching)
            if fetching:
                time.sleep(0.1)
                ground.store.knows_ranges = False

    ground.store.before = before
    with futures.ThreadPoolExecutor(16) as pool:
        bodies = list(pool.map(lambda _: ground.begin(), range(16)))
        assert set(pool.map(rest_of, bodies)) == {DATA}
    assert asked.count(True) == 1
    assert ground.store.sent <= 16 * SIZE
    assert ground.nothing_is_left()


@pytest.mark.parametrize("alone", [True, False])
def test_an_object_that_is_replaced_is_not_mixed(ground: Ground, alone: bool) -> None:
    """What begins later has the new one, or breaks off while others read the old one.

    An image's data never changes, so an object is replaced by accident only.
    """
    old = ground.begin()
    others = [] if alone else [ground.begin()]
    for body in others:
        until(body, 1)
    received = until(old, 1)
    ground.store.objects_by_key["key"] = DATA[::-1]
    new = [b"", b""]
    for number in range(2):
        with contextlib.suppress(StoreError):
            for data in ground.begin():
                new[number] += data
    if alone:
        assert new == [DATA[::-1], DATA[::-1]]
    for each in new:
        assert DATA[::-1].startswith(each) or DATA.startswith(each)
    with contextlib.suppress(StoreError):
        for data in old:
            received += data
    assert DATA.startswith(received)
    for body in others:
        body.close()
    assert ground.nothing_is_left()


def test_the_first_bytes_are_not_waited_for_too_long(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that is silent for one may answer another."""
    monkeypatch.setattr("s3gateway.download.body._FIRST_PIECE", 0.2)
    first = ground.begin()
    silent = threading.Event()

    def before(request: str, key: str) -> None:
        if threading.current_thread().name.startswith("s3-piece"):
            silent.wait(20)

    ground.store.before = before
    began = time.monotonic()
    second = ground.begin()
    assert time.monotonic() - began < 10
    silent.set()
    assert rest_of(second) == rest_of(first) == DATA
    assert ground.nothing_is_left()


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_the_bytes_are_right(seed: int) -> None:
    """Ranges, clients that go away, failures and little memory, at random."""
    chance = random.Random(seed)  # noqa: S311
    ground = Ground(memory=chance.choice([0, 3, 6, 100]) * PIECE)
    trouble = threading.Lock()

    def before(request: str, key: str) -> None:
        with trouble:
            bad = request == "more" and chance.random() < 0.03
            pause = chance.random() / 500
        time.sleep(pause)
        if bad:
            raise StoreUnavailable("Store fast broke off")

    ground.store.before = before

    def download(number: int) -> None:
        mine = random.Random(seed * 100 + number)  # noqa: S311
        start = mine.choice([0, 0, 0, mine.randrange(SIZE)])
        span = Span(start, mine.choice([SIZE, mine.randrange(start, SIZE) + 1]))
        body = deliver(ground.store, span=span, pieces=ground.pieces, retry_time=20)
        most = mine.choice([SIZE, SIZE, mine.randrange(SIZE)])
        received = bytearray()
        for data in body:
            received += data
            if len(received) > most:
                break
        body.close()
        assert DATA[span.start : span.stop].startswith(received)
        assert len(received) in (span.length, *range(most, most + MIB + 1))

    with futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(download, range(16)))
    assert ground.nothing_is_left()


def test_two_stores_are_two_objects() -> None:
    ground = Ground(widest=1)
    other = MemoryStore()
    other.objects_by_key["key"] = DATA[::-1]
    bodies = [ground.begin(), deliver(other, pieces=ground.pieces)]
    assert [rest_of(body) for body in bodies] == [DATA, DATA[::-1]]
    assert other.requests.count("read") == ground.store.requests.count("read") == 1

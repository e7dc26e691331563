# SPDX-License-Identifier: Apache-2.0
"""Bodies of downloads: complete, or an error that stays."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import random
import threading
import time
from collections.abc import Callable

import pytest

from s3gateway.errors import GatewayError
from s3gateway.errors import ObjectNotFound
from s3gateway.errors import StoreDenied
from s3gateway.errors import StoreError
from s3gateway.errors import StoreUnavailable
from s3gateway.http.ranges import Span
from s3gateway.streams.digests import Verification
from tests.support.clock import Clock
from tests.support.s3.memory import MIB
from tests.support.s3.memory import MemoryStore
from tests.unit.download.delivering import DATA
from tests.unit.download.delivering import all_closed
from tests.unit.download.delivering import deliver
from tests.unit.download.delivering import store


def breaking(*calls: int) -> Callable[[str, str], None]:
    """Return a ``before`` that breaks off the reads with these numbers."""
    count = 0

    def before(request: str, key: str) -> None:
        nonlocal count
        if request == "more":
            count += 1
            if count in calls:
                raise StoreUnavailable("Store fast broke off")

    return before


def test_all_of_it() -> None:
    fast = store()
    body = deliver(fast)
    assert b"".join(body) == DATA
    assert fast.requests.count("read") == 1
    assert fast.open_readers == 0


@pytest.mark.parametrize(
    "span", [Span(0, 1), Span(len(DATA) - 1, len(DATA)), Span(100_000, 1_500_000)]
)
def test_a_part_of_it(span: Span) -> None:
    body = deliver(store(), span=span)
    assert b"".join(body) == DATA[span.start : span.stop]


def test_a_broken_stream_is_taken_up_at_the_exact_byte() -> None:
    fast = store()
    fast.before = breaking(1, 3, 4)
    body = deliver(fast, retry_time=10)
    assert b"".join(body) == DATA
    assert fast.requests.count("read") == 4
    assert fast.open_readers == 0


def test_the_next_location_goes_on_at_the_same_byte() -> None:
    fast, cheap = store("fast"), store("cheap")
    fast.before = breaking(*range(3, 100))
    body = deliver(fast, cheap)
    assert b"".join(body) == DATA
    assert cheap.requests.count("read") == 1


def test_an_object_that_changed_is_not_gone_on_with() -> None:
    fast = store()
    body = deliver(fast)
    assert next(body)
    fast.objects_by_key["key"] = DATA[::-1]
    fast.before = breaking(2)
    with pytest.raises(ObjectNotFound):
        list(body)


def test_a_body_that_failed_keeps_failing() -> None:
    fast = store()
    fast.before = breaking(*range(2, 100))
    body = deliver(fast)
    received = next(body)
    assert DATA.startswith(received)
    for _ in range(3):
        with pytest.raises(StoreError):
            next(body)
    body.close()
    assert fast.open_readers == 0


def test_no_source_has_it() -> None:
    fast = store()
    fast.objects_by_key.clear()
    with pytest.raises(ObjectNotFound):
        deliver(fast)


def test_a_client_that_goes_away_closes_the_stream() -> None:
    fast = store()
    body = deliver(fast)
    next(body)
    assert fast.open_readers == 1
    body.close()
    assert fast.open_readers == 0


LARGE = random.Random(1).randbytes(24 * MIB)  # noqa: S311
_FAR = 0.04  # seconds that a MiB takes on one connection, by the clock of the test
_LATE = 0.01  # seconds that it takes in truth, so that connections overlap


def in_window() -> bool:
    """Whether this thread fetches a piece ahead."""
    return threading.current_thread().name.startswith("s3-piece")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """By which speeds are measured: those of this machine are not to matter."""
    found = Clock()
    monkeypatch.setattr("s3gateway.download.pace.time", found)
    return found


@pytest.fixture
def distant(clock: Clock) -> MemoryStore:
    """A store whose connections are slow, each of them.

    Those of a window bring their bytes while the first one brings its own.
    """

    def before(request: str, key: str) -> None:
        if request == "more":
            time.sleep(_LATE)
            if not in_window():
                clock.now += _FAR

    found = store(data=LARGE)
    found.before = before
    return found


@pytest.mark.parametrize("span", [Span(0, len(LARGE)), Span(7, 20 * MIB + 5)])
def test_a_window_delivers_the_same_bytes(distant: MemoryStore, span: Span) -> None:
    body = deliver(distant, span=span, widest=6)
    assert b"".join(body) == LARGE[span.start : span.stop]
    assert distant.requests.count("read") > 10
    assert all_closed(distant)


def test_a_window_is_not_wider_than_its_budget(distant: MemoryStore) -> None:
    most = 0
    far = distant.before

    def before(request: str, key: str) -> None:
        nonlocal most
        most = max(most, distant.open_readers)
        far(request, key)

    distant.before = before
    body = deliver(distant, widest=12, budget=3 * MIB)
    assert b"".join(body) == LARGE
    assert 1 < most <= 4  # three pieces and the one connection of the beginning


def test_without_a_budget_one_connection_goes_on(distant: MemoryStore) -> None:
    body = deliver(distant, widest=12, budget=0)
    assert b"".join(body) == LARGE
    assert distant.requests.count("read") == 1


@pytest.mark.parametrize(
    "failure",
    [
        StoreDenied("Store fast answered 403"),
        MemoryError(),
        OSError(12, "Cannot allocate memory"),
        RuntimeError("can't start new thread"),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_a_piece_that_fails_is_taken_up_by_one_connection(
    distant: MemoryStore, failure: Exception
) -> None:
    """And no byte is left out or comes twice."""
    far, failed = distant.before, threading.Event()
    fetched = itertools.count(1)  # by several threads

    def before(request: str, key: str) -> None:
        far(request, key)
        if request == "more" and in_window() and next(fetched) == 3:
            failed.set()
            raise failure

    distant.before = before
    body = deliver(distant, widest=6, retry_time=10)
    assert b"".join(body) == LARGE
    assert failed.is_set()
    assert all_closed(distant)


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_one_connection_goes_on_when_there_are_no_more_threads(
    distant: MemoryStore, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    begin, begun = threading.Thread.start, 0

    def start(thread: threading.Thread) -> None:
        nonlocal begun
        if thread.name.startswith("s3-piece"):
            begun += 1
            if begun > threads:
                raise RuntimeError("can't start new thread")
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    body = deliver(distant, widest=6)
    assert b"".join(body) == LARGE
    assert begun > threads


def test_a_client_that_goes_away_closes_the_window(distant: MemoryStore) -> None:
    body = deliver(distant, widest=6)
    for _ in range(12):
        next(body)
    body.close()
    assert all_closed(distant)


def test_a_window_that_gains_nothing_is_given_up(
    distant: MemoryStore, clock: Clock
) -> None:
    """As when it is the line that is slow, and all connections share it."""
    line = threading.Lock()

    def before(request: str, key: str) -> None:
        if request == "more":
            with line:
                time.sleep(_LATE)
                clock.now += _FAR

    distant.before = before
    body = deliver(distant, widest=6)
    assert b"".join(body) == LARGE
    assert 2 < distant.requests.count("read") < 18


@pytest.mark.parametrize("right", [True, False])
def test_verification_fails_before_the_last_byte(right: bool) -> None:
    digest = hashlib.sha256(DATA).hexdigest() if right else "0" * 64
    body = deliver(store(), verification=Verification(len(DATA), "sha256", digest))
    if right:
        assert b"".join(body) == DATA
        return
    received: list[bytes] = []
    with pytest.raises(ObjectNotFound, match="sha256 of the data"):
        received.extend(body)
    assert sum(map(len, received)) < len(DATA)
    with pytest.raises(ObjectNotFound):
        next(body)


@pytest.mark.parametrize("ending", ["whole", "broken", "closed", "never begun"])
def test_verification_leaves_no_thread(ending: str) -> None:
    before = set(threading.enumerate())
    fast = store()
    if ending == "broken":
        fast.before = breaking(*range(2, 100))
    if ending == "never begun":
        fast.objects_by_key.clear()
    digest = hashlib.sha256(DATA).hexdigest()
    with contextlib.suppress(StoreError):
        verification = Verification(len(DATA), "sha256", digest)
        body = deliver(fast, verification=verification)
        with contextlib.closing(body):
            received = [next(body)] if ending == "closed" else list(body)
            assert received
    for thread in set(threading.enumerate()) - before:
        thread.join(60)
        assert not thread.is_alive(), thread


def test_the_end_is_told_once() -> None:
    told: list[int] = []
    body = deliver(store(), span=Span(5, 100_000), ended=told.append)
    assert told == []
    list(body)
    body.close()
    assert told == [99_995]


def test_a_body_that_broke_off_is_not_told_as_sent() -> None:
    told: list[int] = []
    fast = store()
    fast.before = breaking(*range(2, 100))
    body = deliver(fast, ended=told.append)
    with pytest.raises(StoreError):
        list(body)
    assert told == []


def test_a_client_has_its_bytes_if_the_end_cannot_be_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(count: int) -> None:
        raise ConnectionError("the message bus is down")

    body = deliver(store(), ended=fail)
    assert b"".join(body) == DATA
    assert "Image an-image was sent, but what follows failed" in caplog.text


FAILURES: list[BaseException] = [
    RuntimeError("can't start new thread"),
    MemoryError(),
    OSError(24, "Too many open files"),
    KeyError("a fault of ours"),
    SystemExit(1),
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("widest", [1, 6])
def test_no_byte_comes_from_behind_a_hole(
    distant: MemoryStore, failure: BaseException, widest: int
) -> None:
    """Whatever went wrong once, and although the reader goes on, as Glance's cache."""
    far, straight = distant.before, 0

    def before(request: str, key: str) -> None:
        nonlocal straight
        far(request, key)
        if request == "more" and not in_window():
            straight += 1
            if straight == 5:
                raise failure

    distant.before = before
    body = deliver(distant, widest=widest)
    received: list[bytes] = []
    with pytest.raises(type(failure)):
        received.extend(body)
    for _ in range(3):
        with pytest.raises((GatewayError, type(failure))):
            next(body)
    body.close()
    assert LARGE.startswith(b"".join(received))
    assert sum(map(len, received)) < len(LARGE)


@pytest.mark.parametrize("failure", FAILURES, ids=lambda error: type(error).__name__)
def test_what_fails_before_the_first_byte_is_an_answer(failure: BaseException) -> None:
    fast = store()

    def before(request: str, key: str) -> None:
        if request == "more":
            raise failure

    fast.before = before
    with pytest.raises(type(failure)):
        deliver(fast)
    assert fast.open_readers == 0


class Short:
    """A reader of a store that keeps to no protocol: it ends early, and goes on."""

    etag = ""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = iter(pieces)
        self.closed = False

    def read(self, limit: int) -> bytes:
        return next(self._pieces)

    def close(self) -> None:
        self.closed = True


def test_a_store_that_ends_early_does_not_end_the_body() -> None:
    reader = Short(DATA[:100], b"", DATA[100:])
    short = store()
    short.read = lambda *args, **kwargs: reader  # type: ignore[assignment]
    body = deliver(short)
    assert next(body) == DATA[:100]
    for _ in range(3):
        with pytest.raises(GatewayError):
            next(body)
    body.close()
    assert reader.closed

# SPDX-License-Identifier: Apache-2.0
"""Bodies on their way out: complete, or an error that stays."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable

import pytest

from s3gateway.download.body import Ahead
from s3gateway.download.body import Delivery
from s3gateway.download.failover import Copies
from s3gateway.download.failover import Copy
from s3gateway.download.pace import Pace
from s3gateway.errors import ObjectNotFound
from s3gateway.errors import StoreError
from s3gateway.errors import StoreUnavailable
from s3gateway.http.ranges import Span
from s3gateway.streams.buffers import Budget
from s3gateway.streams.buffers import Slabs
from s3gateway.streams.verification import Verification
from tests.support.s3.memory import MIB
from tests.support.s3.memory import MemoryStore
from tests.support.s3.memory import store_settings

DATA = bytes(range(256)) * (3 * MIB // 256)


def deliver(
    *stores: MemoryStore,
    span: Span | None = None,
    retry_time: float = 0.2,
    widest: int = 1,
    budget: int = 1 << 30,
) -> Delivery:
    size = len(stores[0].objects_by_key.get("key", DATA))
    span = span or Span(0, size)
    copies = Copies(
        "an-image",
        [Copy(store, store.name, "key") for store in stores],
        span,
        size=size,
        retry_time=retry_time,
    )
    ahead = Ahead(
        piece=MIB,
        widest=widest,
        budget=Budget(budget, "download"),
        slabs=Slabs(widest),
    )
    return Delivery("an-image", copies, span, ahead=ahead)


def store(name: str = "fast", data: bytes = DATA) -> MemoryStore:
    found = MemoryStore(store_settings(name))
    found.objects_by_key["key"] = data
    return found


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
    delivery = deliver(fast)
    delivery.open()
    assert b"".join(delivery) == DATA
    assert fast.requests.count("read") == 1
    assert fast.open_readers == 0


@pytest.mark.parametrize(
    "span", [Span(0, 1), Span(len(DATA) - 1, len(DATA)), Span(100_000, 1_500_000)]
)
def test_a_part_of_it(span: Span) -> None:
    delivery = deliver(store(), span=span)
    delivery.open()
    assert b"".join(delivery) == DATA[span.start : span.stop]


def test_a_broken_stream_is_taken_up_at_the_exact_byte() -> None:
    fast = store()
    fast.before = breaking(1, 3, 4)
    delivery = deliver(fast, retry_time=10)
    delivery.open()
    assert b"".join(delivery) == DATA
    assert fast.requests.count("read") == 4
    assert fast.open_readers == 0


def test_the_next_location_goes_on_at_the_same_byte() -> None:
    fast, cheap = store("fast"), store("cheap")
    fast.before = breaking(*range(3, 100))
    delivery = deliver(fast, cheap)
    delivery.open()
    assert b"".join(delivery) == DATA
    assert cheap.requests.count("read") == 1


def test_an_object_that_changed_is_not_gone_on_with() -> None:
    fast = store()
    delivery = deliver(fast)
    delivery.open()
    assert next(delivery)
    fast.objects_by_key["key"] = DATA[::-1]
    fast.before = breaking(2)
    with pytest.raises(ObjectNotFound):
        list(delivery)


def test_a_body_that_failed_keeps_failing() -> None:
    fast = store()
    fast.before = breaking(*range(2, 100))
    delivery = deliver(fast)
    delivery.open()
    received = next(delivery)
    assert DATA.startswith(received)
    for _ in range(3):
        with pytest.raises(StoreError):
            next(delivery)
    delivery.close()
    assert fast.open_readers == 0


def test_no_source_has_it() -> None:
    fast = store()
    fast.objects_by_key.clear()
    with pytest.raises(ObjectNotFound):
        deliver(fast).open()


def test_a_client_that_goes_away_closes_the_stream() -> None:
    fast = store()
    delivery = deliver(fast)
    delivery.open()
    next(delivery)
    assert fast.open_readers == 1
    delivery.close()
    assert fast.open_readers == 0


LARGE = random.Random(1).randbytes(40 * MIB)  # noqa: S311


@pytest.fixture
def distant(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    """A store whose connections count as slow, so that any window is a gain."""
    monkeypatch.setattr("s3gateway.download.pace.Pace.is_held_up", True)
    monkeypatch.setattr("s3gateway.download.body._GAIN", 0)
    return store(data=LARGE)


@pytest.mark.parametrize("span", [Span(0, len(LARGE)), Span(7, 33 * MIB + 5)])
def test_a_window_delivers_the_same_bytes(distant: MemoryStore, span: Span) -> None:
    delivery = deliver(distant, span=span, widest=6)
    delivery.open()
    assert b"".join(delivery) == LARGE[span.start : span.stop]
    assert distant.requests.count("read") > 20
    assert distant.open_readers == 0


def test_a_window_is_not_wider_than_its_budget(distant: MemoryStore) -> None:
    most = 0

    def before(request: str, key: str) -> None:
        nonlocal most
        most = max(most, distant.open_readers)

    distant.before = before
    delivery = deliver(distant, widest=12, budget=3 * MIB)
    assert b"".join(delivery) == LARGE
    assert most <= 4  # three pieces and the one connection of the beginning


def test_without_a_budget_one_connection_goes_on(distant: MemoryStore) -> None:
    delivery = deliver(distant, widest=12, budget=0)
    assert b"".join(delivery) == LARGE


def test_a_piece_that_fails_is_taken_up_by_one_connection(
    distant: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s3gateway.download.window._RETRY_TIME", 0.0)
    calls = 0

    def before(request: str, key: str) -> None:
        nonlocal calls
        calls += request == "more"
        if request == "more" and calls in (20, 21, 22):
            raise StoreUnavailable("Store fast broke off")

    distant.before = before
    delivery = deliver(distant, widest=6, retry_time=10)
    assert b"".join(delivery) == LARGE
    assert distant.open_readers == 0


def test_a_client_that_goes_away_closes_the_window(distant: MemoryStore) -> None:
    delivery = deliver(distant, widest=6)
    for _ in range(12):
        next(delivery)
    delivery.close()
    deadline = time.monotonic() + 5
    while distant.open_readers and time.monotonic() < deadline:
        time.sleep(0.01)
    assert distant.open_readers == 0


def test_a_window_that_gains_nothing_is_given_up(
    distant: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s3gateway.download.body._GAIN", float("inf"))
    delivery = deliver(distant, widest=6)
    assert b"".join(delivery) == LARGE
    assert distant.requests.count("read") < 20


class Clock:
    """Stands still unless it is moved on."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("store_takes", "client_takes", "held_up"),
    [
        (0.1, 0.0, True),
        (0.1, 0.04, True),
        (0.1, 0.06, False),  # the client is slow itself
        (0.001, 0.0, False),  # nothing is faster than this connection
    ],
)
def test_who_waits_for_whom(
    monkeypatch: pytest.MonkeyPatch,
    store_takes: float,
    client_takes: float,
    held_up: bool,
) -> None:
    clock = Clock()
    monkeypatch.setattr("s3gateway.download.pace.time", clock)
    pace = Pace()

    def read() -> bytes:
        clock.now += store_takes
        return bytes(MIB)

    for _ in range(8):
        clock.now += client_takes
        pace.read(read)
    assert pace.is_held_up is held_up
    assert pace.rate == pytest.approx(MIB / (store_takes + client_takes))


@pytest.mark.parametrize("right", [True, False])
def test_verification_fails_before_the_last_byte(right: bool) -> None:
    digest = hashlib.sha256(DATA).hexdigest() if right else "0" * 64
    delivery = deliver(store())
    delivery.verification = Verification(len(DATA), "sha256", digest)
    if right:
        assert b"".join(delivery) == DATA
        return
    received: list[bytes] = []
    with pytest.raises(ObjectNotFound, match="sha256 of the data"):
        received.extend(delivery)
    assert sum(map(len, received)) < len(DATA)


def test_the_end_is_told_once() -> None:
    told: list[int] = []
    delivery = deliver(store(), span=Span(5, 100_000))
    delivery.ended = told.append
    list(delivery)
    delivery.close()
    assert told == [99_995]

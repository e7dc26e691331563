# SPDX-License-Identifier: Apache-2.0
"""Claims that one upload takes, on stores whose clocks the test moves.

What several make of each other is in ``test_races``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from s3gateway.errors import Conflict
from s3gateway.errors import StoreError
from s3gateway.errors import StoreUnavailable
from s3gateway.store import About
from s3gateway.store import Buffers
from s3gateway.upload import claims
from s3gateway.upload.claims import Attempt
from s3gateway.upload.exclusion import Claims
from s3gateway.upload.holding import Claim
from tests.support.s3.memory import Hook
from tests.support.s3.memory import MemoryStore
from tests.support.s3.memory import store_settings
from tests.support.s3.memory import unavailable

ID = "6f2c0000-0000-4000-8000-000000000001"
KEY = f"{ID}.0123456789abcdef"
CLAIM = f".s3gateway/{ID}"
MARK = f"{CLAIM}.registering"
GRACE = 300.0


class Clock:
    """The time in this process and in the stores; sleeping moves it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stores = {
            name: MemoryStore(store_settings(name)) for name in ("fast", "cheap")
        }
        self.now = 1000.0
        self.slept: Callable[[], None] = lambda: None
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(time, "sleep", self._sleep)

    def goes_on(self, seconds: float) -> None:
        self.now += seconds
        for store in self.stores.values():
            store.now += seconds

    def _sleep(self, seconds: float) -> None:
        self.goes_on(seconds)
        self.slept()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def fast(clock: Clock) -> MemoryStore:
    return clock.stores["fast"]


@pytest.fixture
def cheap(clock: Clock) -> MemoryStore:
    return clock.stores["cheap"]


@pytest.fixture
def one(clock: Clock) -> Claims:
    """What hands out claims in one gateway."""
    return Claims(clock.stores, GRACE)


@pytest.fixture
def other(clock: Clock) -> Claims:
    """What hands out claims in another."""
    return Claims(clock.stores, GRACE)


def take(from_: Claims, store: str = "fast", key: str = KEY) -> Claim:
    return from_.take(ID, Attempt(store, key))


def holder(store: MemoryStore) -> str:
    return claims.read(store, CLAIM).nonce


def named(store: MemoryStore) -> list[str]:
    return [attempt.key for attempt in claims.read(store, CLAIM).attempts]


def script(*lines: tuple[str, Callable[[], object]]) -> Hook:
    """Return a hook that does something at the next such request, one after another."""
    left = list(lines)

    def hook(request: str, key: str) -> None:
        if left and left[0][0] == request:
            left.pop(0)[1]()

    return hook


def lost() -> None:
    raise StoreUnavailable("Store fast broke off")


class Repeating(MemoryStore):
    """A store whose answer to a write is lost, so that the write is repeated."""

    repeats = 0

    def put(
        self,
        key: str,
        data: Buffers,
        *,
        if_absent: bool = False,
        if_match: str = "",
        about: About | None = None,
    ) -> str:
        if self.repeats:
            self.repeats -= 1
            self.put(key, data, if_absent=if_absent, if_match=if_match)
        return super().put(
            key, data, if_absent=if_absent, if_match=if_match, about=about
        )


def test_one_object_and_a_look_into_each_other_store(
    one: Claims, fast: MemoryStore, cheap: MemoryStore
) -> None:
    claim = take(one)
    assert list(fast.objects_by_key) == [CLAIM]
    claim.keep()
    one.confirm(claim)
    claim.release()
    assert fast.requests == ["put", "delete"]
    assert cheap.requests == ["note"]
    assert not fast.objects_by_key


def test_a_claim_is_in_the_store_that_it_is_about(
    one: Claims, fast: MemoryStore, cheap: MemoryStore
) -> None:
    take(one, "cheap")
    assert not fast.objects_by_key
    assert list(cheap.objects_by_key) == [CLAIM]


@pytest.mark.parametrize("theirs", ["fast", "cheap"])
@pytest.mark.parametrize("ours", ["fast", "cheap"])
def test_a_live_claim_keeps_others_out(
    one: Claims, other: Claims, clock: Clock, theirs: str, ours: str
) -> None:
    running = take(one, theirs)
    clock.goes_on(GRACE - 2)
    with pytest.raises(Conflict, match="from saving to saving"):
        take(other, ours, "another-key")
    assert holder(clock.stores[theirs]) == running.nonce
    left = [key for store in clock.stores.values() for key in store.objects_by_key]
    assert left == [CLAIM]


def test_who_comes_first_waits_for_the_other_to_give_way(
    one: Claims, other: Claims, clock: Clock
) -> None:
    second = take(other, "cheap")
    clock.slept = second.release
    claim = take(one, "fast")
    one.confirm(claim)


@pytest.mark.parametrize("theirs", ["fast", "cheap"])
@pytest.mark.parametrize("ours", ["fast", "cheap"])
def test_a_dead_claim_is_taken_over_with_what_it_names(
    one: Claims, other: Claims, clock: Clock, theirs: str, ours: str
) -> None:
    """Earlier releases kept all claims in the first store."""
    dead = take(one, theirs)
    dead.began("upload-1")
    clock.goes_on(GRACE)
    claim = take(other, ours, "another-key")
    assert claim.leftovers == (Attempt(theirs, KEY, "upload-1"),)
    assert named(clock.stores[theirs]) == ["another-key", KEY]
    assert named(clock.stores[ours])[0] == "another-key"
    with pytest.raises(Conflict, match="taken over"):
        one.confirm(dead)
    dead.release()
    other.confirm(claim)
    claim.release()
    assert not any(store.objects_by_key for store in clock.stores.values())


def test_an_upload_that_gets_on_is_alive(
    one: Claims, other: Claims, clock: Clock
) -> None:
    claim = take(one)
    for _ in range(10):
        clock.goes_on(GRACE / 2)
        claim.keep()
    with pytest.raises(Conflict):
        take(other)


@pytest.mark.parametrize("decides", [True, False])
@pytest.mark.parametrize("step", ["began", "keep", "confirm"])
def test_a_lost_claim_is_noticed(
    one: Claims, other: Claims, clock: Clock, decides: bool, step: str
) -> None:
    clock.stores["fast"].decides = decides
    claim = take(one)
    clock.goes_on(GRACE)
    taken = take(other, key="another-key")
    clock.stores["fast"].requests.clear()
    steps: dict[str, Callable[[], None]] = {
        "began": lambda: claim.began("upload-1"),
        "keep": claim.keep,
        "confirm": lambda: one.confirm(claim),
    }
    with pytest.raises(Conflict, match="taken over"):
        steps[step]()
    claim.release()
    assert holder(clock.stores["fast"]) == taken.nonce


def test_one_that_is_rewritten_unchanged_is_not_mistaken_for_a_dead_one(
    one: Claims, other: Claims, clock: Clock, fast: MemoryStore
) -> None:
    """It was read as a dead one, and then its upload got on."""
    claim = take(one)
    clock.goes_on(GRACE)
    fast.after = script(("note", claim.keep))
    with pytest.raises(Conflict):
        take(other, key="another-key")
    assert holder(fast) == claim.nonce
    one.confirm(claim)


@pytest.mark.parametrize("decides", [True, False])
def test_one_that_vanishes_is_no_reason_to_write_over_the_next(
    one: Claims, other: Claims, fast: MemoryStore, decides: bool
) -> None:
    """It goes when it is looked at, and a third upload is faster than the second."""
    fast.decides = decides
    first = take(one)
    found: list[Claim] = []
    fast.before = script(
        ("note", first.release),
        ("put", lambda: found.append(take(one, key="a-third-key"))),
    )
    with pytest.raises(Conflict):
        take(other, key="another-key")
    [third] = found
    assert holder(fast) == third.nonce
    one.confirm(third)


@pytest.mark.parametrize("dead", [False, True])
def test_a_write_that_was_repeated_is_no_conflict(clock: Clock, dead: bool) -> None:
    """The store has our claim, and refuses the second try for it."""
    store = Repeating()
    claims_ = Claims({"fast": store}, GRACE)
    if dead:
        take(claims_)
        store.now = GRACE
    store.repeats = 2 if dead else 1
    claim = take(claims_, key="another-key")
    assert [attempt.key for attempt in claim.leftovers] == [KEY] * dead
    assert named(store) == ["another-key", *[KEY] * dead]
    store.repeats = 1
    claim.began("upload-1")
    claims_.confirm(claim)
    assert claims.read(store, CLAIM).attempts[0].upload_id == "upload-1"


@pytest.mark.parametrize("make", [Claims.take, Claims.record])
@pytest.mark.parametrize("error", [StoreUnavailable, KeyboardInterrupt, MemoryError])
def test_a_claim_whose_answer_never_came_is_taken_back(
    one: Claims,
    fast: MemoryStore,
    error: type[BaseException],
    make: Callable[[Claims, str, Attempt], Claim],
) -> None:
    def fail() -> None:
        raise error("at the worst moment")

    fast.after = script(("put", fail))
    with pytest.raises(error):
        make(one, ID, Attempt("fast", KEY))
    assert not fast.objects_by_key


def test_only_the_own_claim_is_taken_back(
    one: Claims, other: Claims, fast: MemoryStore
) -> None:
    theirs = take(one)
    fast.before = unavailable("put")
    with pytest.raises(StoreUnavailable):
        take(other, key="another-key")
    assert holder(fast) == theirs.nonce


def test_a_claim_that_names_leftovers_is_not_taken_back(
    one: Claims, other: Claims, clock: Clock, fast: MemoryStore
) -> None:
    take(one)
    clock.goes_on(GRACE)
    fast.after = script(("put", lost))
    with pytest.raises(StoreUnavailable):
        take(other, key="another-key")
    assert named(fast) == ["another-key", KEY]


def test_a_claim_that_is_left_keeps_nobody_out(
    one: Claims, other: Claims, clock: Clock, fast: MemoryStore
) -> None:
    claim = take(one)
    claim.leave()
    assert take(other, key="another-key").leftovers == (Attempt("fast", KEY),)
    claim.leave()
    claim.release()
    assert named(fast) == ["another-key", KEY]


def test_a_damaged_claim_blocks_nothing_for_ever(
    one: Claims, clock: Clock, fast: MemoryStore
) -> None:
    fast.objects_by_key[CLAIM] = b"{"
    with pytest.raises(Conflict):
        take(one)
    clock.goes_on(GRACE)
    assert take(one).leftovers == ()


class TestWhereTheStoreDoesNotDecide:
    @pytest.fixture(autouse=True)
    def _it_does_not(self, fast: MemoryStore) -> None:
        fast.decides = False

    def test_what_one_upload_asks_of_it(self, one: Claims, fast: MemoryStore) -> None:
        claim = take(one)
        one.confirm(claim)
        assert set(fast.objects_by_key) == {CLAIM, MARK}
        claim.release()
        assert not fast.objects_by_key
        assert fast.requests == ["put", "put", "note", "delete", "delete"]

    def test_whose_claim_was_written_over_loses(
        self, one: Claims, other: Claims, fast: MemoryStore
    ) -> None:
        """Both have looked before either wrote."""
        found: list[Claim] = []
        fast.before = script(("write", lambda: found.append(take(one))))
        last = take(other, key="another-key")
        with pytest.raises(Conflict, match="taken over"):
            one.confirm(found[0])
        assert MARK not in fast.objects_by_key
        found[0].release()
        other.confirm(last)

    def test_who_wrote_over_one_that_is_confirmed_loses(
        self, one: Claims, other: Claims, fast: MemoryStore
    ) -> None:
        found: list[Claim] = []

        def first() -> None:
            found.append(take(one))
            one.confirm(found[0])

        fast.before = script(("write", first))
        last = take(other, key="another-key")
        with pytest.raises(Conflict, match="from saving to saving"):
            other.confirm(last)
        last.release()
        assert MARK in fast.objects_by_key
        found[0].release()
        assert not fast.objects_by_key

    def test_of_two_that_take_over_one_is_told_at_once(
        self, one: Claims, clock: Clock, fast: MemoryStore
    ) -> None:
        """Before its body: the other has written after it, and it looks."""
        take(one)
        clock.goes_on(GRACE)
        theirs = memoryview(b'{"nonce": "another", "attempts": []}')
        fast.before = script(
            ("note", lambda: None), ("note", lambda: fast.put(CLAIM, [theirs]))
        )
        with pytest.raises(Conflict):
            take(one, key="another-key")
        assert holder(fast) == "another"

    def test_a_mark_that_goes_is_waited_for(
        self, one: Claims, clock: Clock, fast: MemoryStore
    ) -> None:
        claim = take(one)
        fast.put(MARK, [memoryview(b'{"nonce": "another", "attempts": []}')])
        clock.slept = lambda: fast.delete(MARK)
        one.confirm(claim)

    def test_the_mark_of_a_dead_upload_is_replaced(
        self, one: Claims, clock: Clock, fast: MemoryStore
    ) -> None:
        take(one)
        fast.put(MARK, [memoryview(b'{"nonce": "another", "attempts": []}')])
        clock.goes_on(GRACE)
        claim = take(one)
        one.confirm(claim)
        claim.release()
        assert not fast.objects_by_key

    def test_only_the_own_mark_is_taken_back(
        self, one: Claims, fast: MemoryStore
    ) -> None:
        """The answer to its write was lost, and it is another upload's."""
        claim = take(one)
        fast.put(MARK, [memoryview(b'{"nonce": "another", "attempts": []}')])
        fast.before = unavailable("put")
        with pytest.raises(StoreUnavailable):
            one.confirm(claim)
        claim.release()
        assert list(fast.objects_by_key) == [MARK]


class TestWhenAnotherStoreDoesNotAnswer:
    @pytest.fixture(autouse=True)
    def _it_does_not(self, fast: MemoryStore) -> None:
        fast.before = unavailable("put", "note")

    def test_uploads_go_on(self, one: Claims, cheap: MemoryStore) -> None:
        claim = take(one, "cheap")
        one.confirm(claim)
        claim.release()
        assert not cheap.objects_by_key

    def test_it_is_not_asked_again_at_once(
        self, one: Claims, clock: Clock, fast: MemoryStore
    ) -> None:
        for _ in range(10):
            one.confirm(take(one, "cheap", f"key-{clock.now}"))
            clock.stores["cheap"].objects_by_key.clear()
        assert fast.requests == ["note"]
        clock.goes_on(60)
        take(one, "cheap")
        assert fast.requests == ["note", "note"]

    def test_once_it_answers_an_upload_through_it_is_seen(
        self, one: Claims, other: Claims, clock: Clock, fast: MemoryStore
    ) -> None:
        """It had looked before our claim was there, and ours was not answered."""
        claim = take(one, "cheap")
        fast.before = lambda request, key: None
        clock.stores["cheap"].before = unavailable("note")
        take(other, "fast", "another-key")
        clock.goes_on(60)
        clock.stores["cheap"].before = lambda request, key: None
        with pytest.raises(Conflict):
            one.confirm(claim)

    def test_what_is_taken_over_in_it_is_known_although_no_answer_came(
        self, one: Claims, clock: Clock, fast: MemoryStore
    ) -> None:
        fast.before = lambda request, key: None
        take(one, "fast")
        clock.goes_on(GRACE)
        fast.after = script(("note", lambda: None), ("put", lost))
        claim = take(one, "cheap", "another-key")
        clock.goes_on(30)
        one.confirm(claim)
        assert claim.leftovers == (Attempt("fast", KEY),)
        claim.release()
        assert not fast.objects_by_key

    def test_an_upload_to_it_is_refused_before_its_body(self, one: Claims) -> None:
        with pytest.raises(StoreError) as caught:
            take(one, "fast")
        assert caught.value.status == 503


def test_what_is_seized_notices(one: Claims, clock: Clock, fast: MemoryStore) -> None:
    dead = take(one)
    clock.goes_on(GRACE)
    ours = Claim(fast, ID, Attempt("fast", CLAIM), GRACE)
    ours.seize()
    assert ours.leftovers == (Attempt("fast", KEY),)
    with pytest.raises(Conflict):
        one.confirm(dead)
    ours.release()
    assert not fast.objects_by_key


def test_a_mark_alone_is_seized_too(clock: Clock, fast: MemoryStore) -> None:
    fast.put(MARK, [memoryview(b'{"nonce": "another", "attempts": []}')])
    ours = Claim(fast, ID, Attempt("fast", CLAIM), GRACE)
    ours.seize()
    ours.release()
    assert not fast.objects_by_key


def test_what_an_upload_has_again_is_not_seized(
    one: Claims, clock: Clock, fast: MemoryStore
) -> None:
    claim = take(one)
    clock.goes_on(GRACE)
    fast.after = script(("note", claim.keep))
    with pytest.raises(Conflict):
        Claim(fast, ID, Attempt("fast", CLAIM), GRACE).seize()
    one.confirm(claim)


@pytest.mark.parametrize("end", [Claim.release, Claim.leave])
def test_an_end_never_raises(
    one: Claims, fast: MemoryStore, end: Callable[[Claim], None]
) -> None:
    claim = take(one)
    fast.before = unavailable("put", "note", "delete")
    end(claim)


def test_a_claim_tells_no_secret(one: Claims, fast: MemoryStore) -> None:
    take(one)
    content = json.loads(fast.objects_by_key[CLAIM])
    assert set(content) == {"nonce", "writes", "over", "gateway", "attempts"}

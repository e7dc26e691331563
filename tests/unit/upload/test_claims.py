# SPDX-License-Identifier: Apache-2.0
"""Claims on a store whose clock the test moves."""

from __future__ import annotations

import json
from typing import Any

import pytest

from s3gateway.errors import Conflict
from s3gateway.errors import StoreError
from s3gateway.errors import StoreUnavailable
from s3gateway.glance.api import Image
from s3gateway.glance.image import Location
from s3gateway.upload import claims
from s3gateway.upload.claims import Attempt
from s3gateway.upload.claims import Claims
from s3gateway.upload.leftovers import collect
from s3gateway.upload.leftovers import refers_to
from tests.support.s3.memory import MemoryStore
from tests.support.s3.memory import store_settings
from tests.support.s3.memory import unavailable

ID = "6f2c0000-0000-4000-8000-000000000001"
KEY = f"{ID}.0123456789abcdef"
GRACE = 300.0


def image(status: str, *keys: str) -> Image:
    locations = [Location(f"s3://h/b/{key}", {}) for key in keys]
    return Image(ID, status, None, "", "", "", tuple(locations), {})


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def take(store: MemoryStore, key: str = KEY) -> claims.Claim:
    return Claims({"fast": store}, GRACE).take(ID, Attempt("fast", key))


def test_one_object_and_two_requests(store: MemoryStore) -> None:
    claim = take(store)
    assert list(store.objects_by_key) == [f".s3gateway/{ID}"]
    claim.keep()
    claim.release()
    assert store.requests == ["put", "delete"]
    assert not store.objects_by_key


def test_a_live_claim_keeps_others_out(store: MemoryStore) -> None:
    take(store)
    store.now = GRACE - 1
    with pytest.raises(Conflict, match="from saving to saving"):
        take(store)


def test_a_dead_claim_is_taken_over_with_what_it_names(store: MemoryStore) -> None:
    dead = take(store)
    dead.began("upload-1")
    store.now = GRACE
    claim = take(store, "another-key")
    assert claim.leftovers == (Attempt("fast", KEY, "upload-1"),)
    recorded = claims.read(store, claim.key)
    assert [attempt.key for attempt in recorded.attempts] == ["another-key", KEY]
    assert recorded.age == 0


def test_a_claim_that_a_store_gave_to_two_is_the_last_ones(store: MemoryStore) -> None:
    store.decides = False
    first, last = take(store), take(store, "another-key")
    with pytest.raises(Conflict):
        first.began("upload-1")
    with pytest.raises(Conflict):
        first.confirm()
    first.release()
    last.began("upload-2")
    last.confirm()
    assert claims.read(store, last.key).nonce == last.nonce


def test_an_upload_that_gets_on_is_alive(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = 1000.0
    monkeypatch.setattr("s3gateway.upload.claims.time.monotonic", lambda: clock)
    claim = take(store)
    for _ in range(10):
        clock += GRACE / 2
        store.now += GRACE / 2
        claim.keep()
    with pytest.raises(Conflict):
        take(store)


def test_a_lost_claim_is_noticed(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = 1000.0
    monkeypatch.setattr("s3gateway.upload.claims.time.monotonic", lambda: clock)
    claim = take(store)
    store.now = GRACE
    take(store, "another-key")
    clock += GRACE
    with pytest.raises(Conflict, match="taken over"):
        claim.keep()
    store.objects_by_key.clear()
    with pytest.raises(Conflict, match="taken over"):
        claim.keep()


def test_a_lost_answer_is_no_conflict(store: MemoryStore) -> None:
    """The store has our claim, and says on the second try that it exists."""
    put, first = store.put, True

    def twice(*arguments: Any, **options: Any) -> str:
        nonlocal first
        if first:
            first = False
            put(*arguments, **options)
        return put(*arguments, **options)

    store.put = twice  # type: ignore[method-assign]
    take(store)


def lose_answers(store: MemoryStore) -> None:
    """Let the store write what it is asked to, and break off."""
    put = store.put

    def lost(*arguments: Any, **options: Any) -> str:
        put(*arguments, **options)
        raise StoreUnavailable("Store fast broke off")

    store.put = lost  # type: ignore[method-assign]


def test_a_claim_whose_answer_never_came_is_withdrawn(store: MemoryStore) -> None:
    lose_answers(store)
    with pytest.raises(StoreUnavailable):
        take(store)
    assert not store.objects_by_key


def test_only_the_own_claim_is_withdrawn(store: MemoryStore) -> None:
    theirs = take(store)
    store.before = unavailable("put")
    with pytest.raises(StoreUnavailable):
        take(store, "another-key")
    assert claims.read(store, theirs.key).nonce == theirs.nonce


def test_a_claim_that_names_leftovers_is_not_withdrawn(store: MemoryStore) -> None:
    dead = take(store)
    store.now = GRACE
    lose_answers(store)
    with pytest.raises(StoreUnavailable):
        take(store, "another-key")
    recorded = claims.read(store, dead.key)
    assert [attempt.key for attempt in recorded.attempts] == ["another-key", KEY]


def test_a_damaged_claim_blocks_nothing_for_ever(store: MemoryStore) -> None:
    for data in (b"", b"{", b"[]", b'{"nonce": 1, "attempts": [1]}'):
        store.objects_by_key[f".s3gateway/{ID}"] = data
        store.written.clear()
        store.now = GRACE
        assert take(store).leftovers == ()


def test_where_nothing_decides_the_last_writer_wins(store: MemoryStore) -> None:
    store.decides = False
    first, second = take(store), take(store, "another-key")
    with pytest.raises(Conflict, match="taken over"):
        first.confirm()
    second.confirm()


def test_what_the_store_decides_is_not_asked_again(store: MemoryStore) -> None:
    claim = take(store)
    claim.confirm()
    assert store.requests == ["put"]


def test_release_never_raises(store: MemoryStore) -> None:
    claim = take(store)
    store.before = unavailable("delete")
    claim.release()


def test_a_claim_tells_no_secret(store: MemoryStore) -> None:
    claim = take(store)
    content = json.loads(store.objects_by_key[claim.key])
    assert set(content) == {"nonce", "gateway", "attempts"}


def test_collection_drops_uploads_and_objects() -> None:
    stores = {name: MemoryStore(store_settings(name)) for name in ("fast", "cheap")}
    stores["cheap"].objects_by_key[KEY] = b"data"
    stores["fast"].begin(KEY)
    attempts = [Attempt("cheap", KEY), Attempt("fast", KEY, f"upload-of-{KEY}")]
    assert collect(attempts, image("queued"), stores) == []
    assert not stores["cheap"].objects_by_key
    assert not stores["fast"].open_uploads


def test_collection_leaves_what_an_image_refers_to() -> None:
    store = MemoryStore()
    store.objects_by_key[KEY] = b"data"
    assert collect([Attempt("fast", KEY)], image("active", KEY), {"fast": store}) == []
    assert store.objects_by_key == {KEY: b"data"}


def test_collection_tells_what_it_could_not_drop() -> None:
    store = MemoryStore()
    store.before = unavailable("delete")
    attempts = [Attempt("fast", KEY), Attempt("gone", KEY)]
    assert collect(attempts, None, {"fast": store}) == attempts


@pytest.mark.parametrize(
    ("found", "needed"),
    [
        (image("queued"), False),
        (image("active", "another-key"), False),
        (image("active", "another-key", KEY), True),
        (image("active"), True),  # where its data is is not shown
        (image("deactivated"), True),
        (image("saving"), True),
    ],
)
def test_what_an_image_may_need(found: Image, needed: bool) -> None:
    assert refers_to(found, KEY) is needed


def test_a_store_that_cannot_be_written_refuses_before_the_body() -> None:
    store = MemoryStore()
    store.before = unavailable("put")
    with pytest.raises(StoreError) as caught:
        take(store)
    assert caught.value.status == 503

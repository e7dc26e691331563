# SPDX-License-Identifier: Apache-2.0
"""Where claims stand, and what they say."""

from __future__ import annotations

import pytest

from s3gateway.upload import claims
from s3gateway.upload.claims import Attempt
from tests.support.s3.memory import MemoryStore
from tests.support.s3.memory import store_settings

ID = "6f2c0000-0000-4000-8000-000000000001"
OTHER = "6f2c0000-0000-4000-8000-000000000002"
NAMES = ("fast", "cheap", "slow")


@pytest.fixture
def stores() -> dict[str, MemoryStore]:
    return {name: MemoryStore(store_settings(name)) for name in NAMES}


def write(store: MemoryStore, key: str, text: bytes = b"{}") -> None:
    store.put(key, [memoryview(text)])


@pytest.mark.parametrize(
    ("about", "expected"),
    [("", [*NAMES]), ("fast", ["fast"]), ("slow", ["fast", "slow"])],
)
def test_a_claim_is_in_its_store_or_an_old_one_in_the_first(
    stores: dict[str, MemoryStore], about: str, expected: list[str]
) -> None:
    assert list(claims.places(stores, about)) == expected
    assert claims.places({}, about) == {}


def test_a_claim_and_its_mark_are_one(stores: dict[str, MemoryStore]) -> None:
    write(stores["fast"], f".s3gateway/{ID}")
    write(stores["cheap"], f".s3gateway/{ID}.registering")
    for store in stores.values():
        store.now = 5
    write(stores["fast"], f".s3gateway/{ID}.registering")
    write(stores["fast"], f".s3gateway/{OTHER}")
    write(stores["fast"], f"{ID}.0123456789abcdef")
    found = [(c.store.name, c.image_id, c.age) for c in claims.standing(stores)]
    assert found == [("fast", ID, 0), ("fast", OTHER, 0), ("cheap", ID, 5)]


def test_a_claim_of_an_earlier_release_is_read(stores: dict[str, MemoryStore]) -> None:
    old = (
        b'{"nonce": "n", "gateway": "g", "attempts": [{"store": "cheap", "key": "k"}]}'
    )
    write(stores["fast"], f".s3gateway/{ID}", old)
    found = claims.read(stores["fast"], f".s3gateway/{ID}")
    assert found.attempts == (Attempt("cheap", "k"),)
    assert not found.is_over


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"\xff", b'{"nonce": 1, "attempts": [1]}']
)
def test_a_damaged_claim_names_nothing(
    stores: dict[str, MemoryStore], data: bytes
) -> None:
    write(stores["fast"], "key", data)
    assert claims.read(stores["fast"], "key").attempts == ()

# SPDX-License-Identifier: Apache-2.0
"""One object that cannot be read says nothing of the others."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from s3gateway.errors import StoreDenied
from s3gateway.errors import StoreError
from s3gateway.errors import StoreUnavailable
from s3gateway.glance.api import Image
from s3gateway.glance.api import image_from
from s3gateway.manage.output import Output
from s3gateway.manage.verify import Verifier
from tests.support.s3.memory import MemoryStore


def store_wide(error: StoreError) -> StoreError:
    error.store_wide = True
    return error


class Bench:
    """A store, and images in it."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.images = [self.image() for _ in range(5)]
        self.output = Output(as_json=True)
        self.stores = {"fast": self.store}
        self.asked = 0

    def image(self) -> Image:
        image_id = str(uuid.uuid4())
        key = f"{image_id}.{'0' * 16}"
        self.store.write(key, b"data")
        url = f"s3://s3.example:9000/fast/{key}"
        place = {"url": url, "metadata": {"store": "fast"}}
        shown = {"id": image_id, "status": "active", "size": 4, "locations": [place]}
        return image_from(shown)

    def break_(self, number: int, error: StoreError) -> None:
        broken = self.images[number].id

        def before(request: str, key: str) -> None:
            self.asked += 1
            if key.startswith(broken) or error.store_wide:
                raise error

        self.store.before = before

    def states(self) -> list[str]:
        context: Any = self
        return [v.state for v in Verifier(context, deep=False).verdicts(self.images)]


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.mark.parametrize("number", [0, 2, 4])
@pytest.mark.parametrize(
    ("error", "state"),
    [
        (StoreError("Store fast answered 403 InvalidObjectState"), "bad"),
        (StoreDenied("Store fast answered 403 AccessDenied"), "unknown"),
        (StoreUnavailable("Store fast answered 500 InternalError"), "unknown"),
    ],
)
def test_one_object_that_cannot_be_read(
    bench: Bench, number: int, error: StoreError, state: str
) -> None:
    bench.break_(number, error)
    expected = ["ok"] * 5
    expected[number] = state
    assert bench.states() == expected


@pytest.mark.parametrize("kind", [StoreUnavailable, StoreDenied])
def test_a_store_that_cannot_be_read(bench: Bench, kind: type[StoreError]) -> None:
    bench.break_(0, store_wide(kind("Store fast did not answer: ConnectTimeoutError")))
    assert bench.states() == ["unknown"] * 5
    assert bench.asked == 1

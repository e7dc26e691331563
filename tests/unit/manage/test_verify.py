# SPDX-License-Identifier: Apache-2.0
"""One object that cannot be read says nothing of the others."""

from __future__ import annotations

import pathlib
import uuid
from types import SimpleNamespace
from typing import Any

import pytest

from s3gateway.errors import GatewayError
from s3gateway.errors import StoreDenied
from s3gateway.errors import StoreError
from s3gateway.errors import StoreUnavailable
from s3gateway.glance.api import Image
from s3gateway.glance.api import image_from
from s3gateway.manage import verify
from s3gateway.manage.main import USAGE
from s3gateway.manage.main import main
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
        self.output = Output()
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


class Listing:
    """A command line, and a Glance that shows some images."""

    def __init__(self, *shown: Image) -> None:
        self.shown = list(shown)

    def images(self) -> list[Image]:
        return self.shown


def run(bench: Bench, *images: Image) -> bool:
    context: Any = bench
    context.glance = Listing(*images)
    words = SimpleNamespace(image=[], deep=False)
    context.conf = SimpleNamespace(command=words)
    context.need_locations = lambda: None
    return verify.run(context)


def test_who_looked_at_nothing_did_not_find_all_in_order(bench: Bench) -> None:
    assert run(bench, *bench.images)
    elsewhere = image_from({"id": "1", "status": "active", "size": 4})
    for images in ((), (elsewhere,)):
        with pytest.raises(GatewayError, match="Nothing was looked at"):
            run(bench, *images)


def test_who_has_no_store_looks_at_nothing(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "glance-api.conf"
    file.write_text("[DEFAULT]\nshow_multiple_locations = True\n")
    for words in (["verify", "--all"], ["gc"], ["locations", "audit"]):
        assert main(["--config-file", str(file), *words]) == USAGE

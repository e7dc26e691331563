# SPDX-License-Identifier: Apache-2.0
"""What dead uploads have left is collected, and nothing that an image needs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from s3gateway.errors import StoreDenied
from s3gateway.errors import StoreError
from s3gateway.glance.api import Image
from s3gateway.glance.image import Location
from s3gateway.upload.claims import Attempt
from s3gateway.upload.leftovers import collect
from s3gateway.upload.leftovers import refers_to
from tests.support.s3.memory import MemoryStore
from tests.support.s3.memory import store_settings
from tests.support.s3.memory import unavailable

ID = "6f2c0000-0000-4000-8000-000000000001"
KEY = f"{ID}.0123456789abcdef"


def image(status: str, *keys: str) -> Image:
    locations = [Location(f"s3://h/b/{key}", {}) for key in keys]
    return Image(ID, status, None, "", "", "", tuple(locations), {})


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
        (image("saving"), False),
    ],
)
def test_what_an_image_may_need(found: Image, needed: bool) -> None:
    assert refers_to(found, KEY) is needed


@pytest.mark.parametrize("error", [StoreError, StoreDenied])
def test_an_object_goes_though_uploads_cannot_be_aborted(
    error: Callable[[str], StoreError],
) -> None:
    """And what may be left is told."""
    store = MemoryStore()
    store.objects_by_key[KEY] = b"data"

    def before(request: str, key: str) -> None:
        if request == "abandon":
            raise error("Store fast answered 403 AccessDenied")

    store.before = before
    attempts = [Attempt("fast", KEY)]
    assert collect(attempts, image("queued"), {"fast": store}) == attempts
    assert not store.objects_by_key

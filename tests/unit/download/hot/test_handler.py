# SPDX-License-Identifier: Apache-2.0
"""Glance is asked first, however hot an image is."""

from __future__ import annotations

import pathlib
import time

import pytest

from s3gateway.config.hot import HotImagesSettings
from s3gateway.download.handler import Downloads
from s3gateway.download.hot.names import is_piece
from s3gateway.download.hot.usable import LOCK
from tests.support.s3.memory import MIB
from tests.support.s3.memory import MemoryStore
from tests.unit.download.conftest import DATA
from tests.unit.download.conftest import FROM_GLANCE
from tests.unit.download.conftest import ID
from tests.unit.download.conftest import FakeGlance
from tests.unit.download.conftest import Make
from tests.unit.download.conftest import request
from tests.unit.download.conftest import shown

Stores = dict[str, MemoryStore]


@pytest.fixture
def directory(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "hot"


@pytest.fixture
def downloads(make: Make, directory: pathlib.Path) -> Downloads:
    """A handler that has downloaded the image twice."""
    settings = HotImagesSettings(size=20 * MIB, directory=directory, age=3600.0)
    found = make(hot_images=settings)
    for _ in range(2):
        assert found.get(request(), ID).read() == DATA
    deadline = time.monotonic() + 60
    while not pieces(directory) or list(directory.glob("*.draft")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def pieces(directory: pathlib.Path) -> list[pathlib.Path]:
    return [path for path in directory.iterdir() if is_piece(path.name)]


def test_a_hot_image_is_not_read_again(
    downloads: Downloads, stores: Stores, directory: pathlib.Path
) -> None:
    assert pieces(directory)
    before = list(stores["fast"].requests)
    assert downloads.get(request(), ID).read() == DATA
    part = downloads.get(request(HTTP_RANGE="bytes=5-9"), ID)
    assert part.read() == DATA[5:10]
    assert stores["fast"].requests == before


def test_a_caller_who_may_not_read_it(downloads: Downloads, glance: FakeGlance) -> None:
    glance.readable = False
    answer = downloads.get(request(), ID)
    assert (answer.code, answer.read()) == (403, b"{}")


@pytest.mark.parametrize("status", ["deactivated", "pending_delete", "deleted"])
def test_an_image_that_is_not_active(
    downloads: Downloads, glance: FakeGlance, status: str
) -> None:
    glance.images[ID] = shown(status=status)
    assert downloads.get(request(), ID).read() == FROM_GLANCE


def test_one_that_is_withdrawn_leaves_nothing(
    downloads: Downloads, directory: pathlib.Path
) -> None:
    downloads.forget(ID)
    assert [path.name for path in directory.iterdir() if path.name != LOCK] == []


def test_other_data_of_the_image_is_read_from_the_store(
    downloads: Downloads, glance: FakeGlance, stores: Stores
) -> None:
    """Also if it has the same key, as after a purge of Glance's database."""
    for store in stores.values():
        for key in store.objects_by_key:
            store.objects_by_key[key] = DATA[::-1]
    glance.images[ID] = shown(os_hash_value="0" * 128)
    assert downloads.get(request(), ID).read() == DATA[::-1]

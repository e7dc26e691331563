# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pathlib

import pytest

from s3gateway.factory import WRITTEN
from s3gateway.upload.written import Written
from tests.support.servers.inprocess import InProcess


def test_an_object_is_known_as_long_as_it_is_registered() -> None:
    written = Written()
    with written.known("fast", "key", 5):
        assert written.size("fast", "key") == 5
        assert written.size("cheap", "key") is None
    assert written.size("fast", "key") is None


def test_an_object_is_not_known_after_a_failure() -> None:
    written = Written()
    with pytest.raises(ValueError, match="x"), written.known("fast", "key", 5):
        raise ValueError("x")
    assert written.size("fast", "key") is None


def test_an_object_that_is_deleted_meanwhile_is_not_known() -> None:
    written = Written()
    with written.known("fast", "key", 5):
        written.forget("fast", "key")
        assert written.size("fast", "key") is None


def test_the_size_is_known_while_glance_registers(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = InProcess(tmp_path, monkeypatch)
    image_id = world.glance.create()
    seen: list[int | None] = []

    def size() -> int | None:
        keys = world.stores["fast"].objects_by_key
        [key] = [key for key in keys if key.startswith(image_id)]
        return WRITTEN.size("fast", key)

    def before(method: str) -> None:
        if method == "commit":
            seen.append(size())

    world.glance.before = before
    assert world.put(world.gateway(), image_id, b"data") == 204
    assert (seen, size()) == ([4], None)

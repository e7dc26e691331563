# SPDX-License-Identifier: Apache-2.0
"""The file of a piece that is being written, when its name goes to another one."""

from __future__ import annotations

import fcntl
import pathlib

import pytest

from s3gateway.download.hot.files import Busy
from s3gateway.download.hot.files import Draft
from s3gateway.download.hot.files import PieceFile
from s3gateway.download.hot.files import draft_of

DATA = b"a piece"


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "piece"


def written(path: pathlib.Path, data: bytes) -> Draft:
    draft = Draft(path, len(DATA))
    draft.write(memoryview(data))
    return draft


def read(path: pathlib.Path) -> bytes:
    file = PieceFile(path, len(DATA))
    try:
        return file.block(0)
    finally:
        file.close()


def test_one_that_was_removed_does_not_publish_another(path: pathlib.Path) -> None:
    first = written(path, DATA)
    draft_of(path).unlink()  # as a sweep does
    second = written(path, DATA[:3])
    with pytest.raises(FileNotFoundError):
        first.publish("etag")
    first.drop()
    assert not path.exists()
    second.write(memoryview(DATA[3:]))
    second.drop()


def test_one_that_was_removed_does_not_remove_another(path: pathlib.Path) -> None:
    first = written(path, DATA)
    draft_of(path).unlink()
    second = written(path, DATA)
    first.drop()
    second.publish("etag")
    assert read(path) == DATA


def test_a_file_that_was_published_before_it_was_locked(
    path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = written(path, DATA)
    flock = fcntl.flock

    def published_first(file: int, operation: int) -> None:
        first.publish("etag")
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", published_first)
    with pytest.raises(Busy):
        Draft(path, len(DATA))
    assert read(path) == DATA

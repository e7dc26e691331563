# SPDX-License-Identifier: Apache-2.0
"""What ``check`` says of the directory of hot images; it makes nothing."""

from __future__ import annotations

import errno
import pathlib

import pytest

from s3gateway.config.hot import OFF
from s3gateway.config.hot import HotImagesSettings
from s3gateway.manage.check import hot_images

MIB = 1024**2


def codes(directory: pathlib.Path, size: int = MIB) -> list[str]:
    settings = HotImagesSettings(size=size, directory=directory, age=60.0)
    return [finding.code for finding in hot_images.check(settings)]


def test_off() -> None:
    assert list(hot_images.check(OFF)) == []


def test_what_is_not_there_is_not_made(tmp_path: pathlib.Path) -> None:
    assert codes(tmp_path / "hot") == ["hot_images_not_made"]
    assert not (tmp_path / "hot").exists()


def test_a_good_one(tmp_path: pathlib.Path) -> None:
    (tmp_path / "hot").mkdir(mode=0o700)
    assert codes(tmp_path / "hot") == ["hot_images_usable"]


def test_one_that_others_may_read(tmp_path: pathlib.Path) -> None:
    (tmp_path / "hot").mkdir()
    (tmp_path / "hot").chmod(0o755)
    assert codes(tmp_path / "hot") == ["hot_images_unusable"]


def test_a_disk_that_is_read_only(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway starts nevertheless."""

    def fail(*arguments: object) -> int:
        raise OSError(errno.EROFS, "Read-only file system")

    (tmp_path / "hot").mkdir(mode=0o700)
    monkeypatch.setattr("s3gateway.download.hot.files.os.open", fail)
    assert codes(tmp_path / "hot") == ["hot_images_not_written"]


def test_files_that_vanish_meanwhile(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway is at work, and publishes what it has written."""
    (tmp_path / "hot").mkdir(mode=0o700)
    gone = [tmp_path / "hot" / "gone"]
    monkeypatch.setattr(pathlib.Path, "iterdir", lambda directory: iter(gone))
    assert codes(tmp_path / "hot") == ["hot_images_usable"]


def test_a_disk_that_is_too_small(tmp_path: pathlib.Path) -> None:
    (tmp_path / "hot").mkdir(mode=0o700)
    assert codes(tmp_path / "hot", size=10**18) == ["hot_images_disk_small"]

# SPDX-License-Identifier: Apache-2.0
"""Which directories are refused at start, and with which words."""

from __future__ import annotations

import errno
import os
import pathlib
from collections.abc import Callable

import pytest

from s3gateway.download.hot.usable import check
from s3gateway.errors import ConfigError


def test_it_is_made_for_this_user_alone(tmp_path: pathlib.Path) -> None:
    check(tmp_path / "hot")
    check(tmp_path / "hot")
    assert (tmp_path / "hot").stat().st_mode & 0o777 == 0o700


def is_file(path: pathlib.Path) -> None:
    path.touch()


def is_link(path: pathlib.Path) -> None:
    (path.parent / "elsewhere").mkdir(mode=0o700)
    path.symlink_to(path.parent / "elsewhere")


def is_open_to_all(path: pathlib.Path) -> None:
    path.mkdir()
    path.chmod(0o750)


@pytest.mark.parametrize(
    ("prepare", "text"),
    [
        (is_file, "is not a directory"),
        (is_link, "is not a directory"),
        (is_open_to_all, "set its mode to 0700"),
    ],
)
def test_what_is_refused(
    tmp_path: pathlib.Path, prepare: Callable[[pathlib.Path], None], text: str
) -> None:
    prepare(tmp_path / "hot")
    with pytest.raises(ConfigError, match=text) as refused:
        check(tmp_path / "hot")
    assert refused.value.option == "hot_images_dir"


def test_one_of_another_user(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(tmp_path / "hot")
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    with pytest.raises(ConfigError, match="belongs to another user"):
        check(tmp_path / "hot")


def test_one_that_cannot_be_made(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ConfigError, match="cannot be made: No such file or directory"):
        check(tmp_path / "nowhere" / "hot")


def test_a_disk_without_locks(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(*arguments: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("s3gateway.download.hot.usable.fcntl.flock", flock)
    with pytest.raises(ConfigError, match=r"No locks available\. Use a local disk"):
        check(tmp_path / "hot")

# SPDX-License-Identifier: Apache-2.0
"""Which directories are refused at start, and with which words."""

from __future__ import annotations

import errno
import os
import pathlib
from collections.abc import Callable

import pytest

from s3gateway.download.failover import Copy
from s3gateway.download.failover import Version
from s3gateway.download.hot.directory import Directory
from s3gateway.download.hot.names import Names
from s3gateway.download.hot.usable import check
from s3gateway.errors import ConfigError
from s3gateway.http.ranges import Span
from tests.support.s3.memory import MemoryStore

NAMES = Names(Copy(MemoryStore(), "bucket", "key", Version("id", "sha512:ab")), 5)
AT = {"mkdir": "usable.pathlib.Path.mkdir", "open": "files.os.open"}


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


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS], ids=errno.errorcode.get)
@pytest.mark.parametrize("step", ["mkdir", "open"])
def test_a_disk_that_fails_is_no_reason_not_to_start(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, code: int, step: str
) -> None:
    """A web server starts a worker again at any time; one that cannot may end it."""

    def fail(*arguments: object, **named: object) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patched:
        patched.setattr(f"s3gateway.download.hot.{AT[step]}", fail)
        found = Directory(tmp_path / "hot", 60.0)
    assert found.find(NAMES, Span(0, 5)) is None
    found.count(NAMES)
    assert not (tmp_path / "hot" / NAMES.uses).exists()
    found._rests_until = 0.0
    found.count(NAMES)
    assert (tmp_path / "hot" / NAMES.uses).exists()


def test_a_disk_without_locks(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(*arguments: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("s3gateway.download.hot.usable.fcntl.flock", flock)
    with pytest.raises(ConfigError, match=r"No locks available\. Use a local disk"):
        check(tmp_path / "hot")

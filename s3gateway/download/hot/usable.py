# SPDX-License-Identifier: Apache-2.0
"""Whether the directory of hot images can be used; makes it if it is not there.

It holds the data of private images, so it must be this user's alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pathlib
import stat

from s3gateway.config import options
from s3gateway.download.hot.files import opened
from s3gateway.errors import ConfigError

#: The file whose lock the process holds that sweeps.
LOCK = "lock"

_OPTION = "hot_images_dir"


def check(path: pathlib.Path) -> None:
    """Make the directory unless it is there, and check it.

    :raises ConfigError: if it cannot be used; the text says what to do
    """
    make(path)
    try_out(path)


def make(path: pathlib.Path) -> None:
    """Make the directory unless it is there, and look whose it is.

    :raises ConfigError: if it cannot be used; the text says what to do
    """
    try:
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
    except OSError as error:
        why = error.strerror
        raise ConfigError(
            options.GROUP,
            _OPTION,
            f"{path} cannot be made: {why}. Make it, for the gateway's user, with mode "
            "0700",
        ) from error
    look_at(path)


def look_at(path: pathlib.Path) -> None:
    """Look whose the directory is.

    :raises ConfigError: if it cannot be used; the text says what to do
    """
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise ConfigError(options.GROUP, _OPTION, f"{path} is not a directory")
    if found.st_uid != os.geteuid():
        raise ConfigError(
            options.GROUP, _OPTION, f"{path} belongs to another user; change its owner"
        )
    if found.st_mode & 0o077:
        raise ConfigError(
            options.GROUP,
            _OPTION,
            f"other users may use {path}, and it holds images; set its mode to 0700",
        )


def try_out(path: pathlib.Path) -> None:
    """Write to the directory, and lock a file of it.

    :raises ConfigError: if that cannot be; the text says what to do
    """
    try:
        with opened(path / LOCK, os.O_RDWR | os.O_CREAT) as file:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.utime(file.fileno())
    except OSError as error:
        why = error.strerror
        raise ConfigError(
            options.GROUP,
            _OPTION,
            f"files of {path} cannot be written or locked: {why}. Use a local disk",
        ) from error

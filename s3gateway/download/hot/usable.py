# SPDX-License-Identifier: Apache-2.0
"""Whether the directory of hot images can be used; makes it if it is not there.

It holds the data of private images, so it must be this user's alone.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import pathlib
import stat

from s3gateway.config import options
from s3gateway.download.hot.files import Faulty
from s3gateway.download.hot.files import opened
from s3gateway.errors import ConfigError

#: The file whose lock the process holds that sweeps.  It has a byte for each MiB that
#: all processes have written since.
LOCK = "s3gateway.lock"

_OPTION = "hot_images_dir"

#: Errors of a disk, and of no setting: the gateway starts without a directory.  A web
#: server starts a worker again at any time, and one that does not start may end it.
_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)


def check(path: pathlib.Path) -> None:
    """Make the directory unless it is there, and check it.

    :raises ConfigError: if it cannot be used; the text says what to do
    :raises OSError: if its disk is full, or fails
    """
    make(path)
    try_out(path)


def make(path: pathlib.Path) -> None:
    """Make the directory unless it is there, and look whose it is.

    :raises ConfigError: if it cannot be used; the text says what to do
    :raises OSError: if its disk is full, or fails
    """
    try:
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
    except OSError as error:
        if error.errno in _OF_THE_DISK:
            raise
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
    :raises OSError: if its disk is full, or fails
    """
    try:
        with opened(path / LOCK, os.O_RDWR | os.O_CREAT) as file:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.utime(file.fileno())
    except (OSError, Faulty) as error:
        if getattr(error, "errno", 0) in _OF_THE_DISK:
            raise
        why = getattr(error, "strerror", "") or error
        raise ConfigError(
            options.GROUP,
            _OPTION,
            f"files of {path} cannot be written or locked: {why}. Use a local disk",
        ) from error

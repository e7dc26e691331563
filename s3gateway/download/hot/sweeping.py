# SPDX-License-Identifier: Apache-2.0
"""Removes files of the directory of hot images: old ones, and those used longest ago.

One process, and one thread of it, does so at a time.  Files that have other names than
ours stay.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import math
import os
import pathlib
import stat
import time
from collections.abc import Iterator
from typing import NamedTuple

from s3gateway.download.hot import names
from s3gateway.download.hot.directory import Directory
from s3gateway.download.hot.directory import remove
from s3gateway.download.hot.files import DRAFT
from s3gateway.download.hot.files import Busy
from s3gateway.download.hot.files import Draft
from s3gateway.download.hot.files import Faulty
from s3gateway.download.hot.files import opened
from s3gateway.download.hot.usable import LOCK
from s3gateway.streams.buffers import SLAB

#: After how much of the size there is another sweep, whichever processes have written
#: it, and how much a sweep leaves free for what is written meanwhile.
_STEP = 1 / 100
_FREE = 1 / 20
#: And after how many seconds.
_EVERY = 60.0


class _File(NamedTuple):
    """A file: when it was used last, its size, and where it is."""

    used: float
    size: int
    path: pathlib.Path


class Sweeper:
    """Keeps a directory within its size, and its files within their age.

    :param size: of all files in bytes
    """

    def __init__(self, directory: Directory, size: int) -> None:
        self._directory = directory
        self._size = size
        self._swept = time.monotonic() - _EVERY

    @property
    def room(self) -> int:
        """How much it leaves, in bytes."""
        return int(self._size * (1 - _FREE))

    def wrote(self, count: int) -> None:
        """Take note of what was written, and sweep if that is much by now."""
        with contextlib.suppress(OSError, Faulty), self._opened() as file:
            file.write(b"." * math.ceil(count / SLAB))
            if not self._is_much(file):
                return
        self.sweep()

    def now_and_then(self) -> None:
        """Sweep if the last time is long ago."""
        if time.monotonic() >= self._swept + _EVERY:
            self.sweep()

    def sweep(self) -> None:
        """Remove what has to go, unless another process, or thread, does so."""
        self._swept = time.monotonic()
        try:
            with self._opened() as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._sweep(file)
                if self._is_much(file):  # by now, and those who wrote it could not
                    self._sweep(file)
        except BlockingIOError:
            return
        except (OSError, Faulty) as error:  # or the directory would grow and grow
            self._directory.rest(error)

    def _sweep(self, count: io.FileIO) -> None:
        count.truncate(0)
        files = list(self._files())
        too_much = sum(file.size for file in files) - self.room
        for file in sorted(files):
            if too_much > 0 and names.is_piece(file.path.name):
                remove(file.path, "size")
                too_much -= file.size

    def forget(self, image_id: str) -> None:
        """Remove the files of an image.

        The counts of its uses go first: a process that publishes a piece after that
        finds none, and removes the piece.
        """
        start = names.image(image_id) + "-"
        for is_wanted in (names.is_uses, names.is_piece):
            for path in self._ours():
                if path.name.startswith(start) and is_wanted(path.name):
                    remove(path, "deleted")

    def _opened(self) -> io.FileIO:
        wanted = os.O_RDWR | os.O_CREAT | os.O_APPEND
        return opened(self._directory.path / LOCK, wanted)

    def _is_much(self, file: io.FileIO) -> bool:
        """Whether much was written since the last sweep."""
        return os.fstat(file.fileno()).st_size * SLAB >= self._size * _STEP

    def _files(self) -> Iterator[_File]:
        """Yield the files that stay for their age; remove the others."""
        for path in self._ours():
            with contextlib.suppress(OSError):
                found = path.lstat()
                if not stat.S_ISREG(found.st_mode):
                    remove(path, "faulty")
                    continue
                if path.name.endswith(DRAFT):
                    if _was_left(path):
                        continue
                elif not self._directory.is_fresh(found.st_mtime):
                    remove(path, "age")
                    continue
                yield _File(found.st_atime, found.st_size, path)

    def _ours(self) -> list[pathlib.Path]:
        with contextlib.suppress(OSError):
            return [
                path
                for path in self._directory.path.iterdir()
                if names.is_ours(path.name)
            ]
        return []


def _was_left(draft: pathlib.Path) -> bool:
    """Remove a draft if no process writes it any more; return whether that was so."""
    try:
        Draft(draft.with_name(draft.name.removesuffix(DRAFT)), 0).drop()
    except Busy:
        return False
    except Faulty:
        remove(draft, "faulty")
    return True

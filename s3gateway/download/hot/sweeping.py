# SPDX-License-Identifier: Apache-2.0
"""Removes files of the directory of hot images: old ones, and those used longest ago.

One process at a time does so.  Files that have other names than ours stay.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pathlib
import threading
import time
from collections.abc import Iterator
from typing import NamedTuple

from s3gateway.download.hot import names
from s3gateway.download.hot.directory import Directory
from s3gateway.download.hot.directory import remove
from s3gateway.download.hot.files import DRAFT
from s3gateway.download.hot.files import Busy
from s3gateway.download.hot.files import Draft
from s3gateway.download.hot.files import opened
from s3gateway.download.hot.usable import LOCK

#: After how much of the size a process sweeps again, and how much it leaves free, so
#: that several that write do not go over the size.
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
        self._written = 0
        self._swept = time.monotonic() - _EVERY
        self._lock = threading.Lock()

    @property
    def room(self) -> int:
        """How much it leaves, in bytes."""
        return int(self._size * (1 - _FREE))

    def wrote(self, count: int) -> None:
        """Take note of what was written, and sweep if that is much by now."""
        with self._lock:
            self._written += count
            if self._written < self._size * _STEP:
                return
        self.sweep()

    def now_and_then(self) -> None:
        """Sweep if the last time is long ago."""
        if time.monotonic() >= self._swept + _EVERY:
            self.sweep()

    def sweep(self) -> None:
        """Remove what has to go, unless another process does so."""
        self._swept = time.monotonic()
        with contextlib.suppress(OSError), self._alone():
            with self._lock:
                self._written = 0
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
        for are_pieces in (False, True):
            for path in self._ours():
                is_piece = names.is_piece(path.name)
                is_draft = path.name.endswith(DRAFT)
                if (
                    path.name.startswith(start)
                    and is_piece == are_pieces
                    and not is_draft
                ):
                    remove(path, "deleted")

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        with opened(self._directory.path / LOCK, os.O_RDWR | os.O_CREAT) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield

    def _files(self) -> Iterator[_File]:
        """Yield the files that stay for their age; remove the others."""
        for path in self._ours():
            with contextlib.suppress(OSError):
                found = path.lstat()
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
    return True

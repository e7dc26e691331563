# SPDX-License-Identifier: Apache-2.0
"""The directory of hot images: finds, takes in and removes the files of pieces.

Several processes work on it without one that is in charge.  Each operation is safe
whatever the others do meanwhile: a file may vanish at any moment, and a complete one
appears at once.  An error of the disk never fails a download.  It stops writing for a
while.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pathlib
import stat
import time

from oslo_log import log as logging

from s3gateway.download.hot import usable
from s3gateway.download.hot.files import Draft
from s3gateway.download.hot.files import Faulty
from s3gateway.download.hot.files import PieceFile
from s3gateway.download.hot.files import draft_of
from s3gateway.download.hot.files import opened
from s3gateway.download.hot.names import Names
from s3gateway.errors import ConfigError
from s3gateway.http.ranges import Span
from s3gateway.monitoring import metrics

LOG = logging.getLogger(__name__)

#: How long nothing is written after an error of the disk.
_REST = 60  # seconds
#: A disk that takes longer for a block holds downloads up, and nothing is written.
_SLOW = 2.0  # seconds
#: A file of the future, by a clock that was changed, is as good as an old one.
_FUTURE = 60.0  # seconds


class Directory:
    """Files of pieces, and how often each image was asked for.

    :param age: how long a piece is used after it was written, in seconds
    :raises ConfigError: if the directory cannot be used
    """

    def __init__(self, path: pathlib.Path, age: float) -> None:
        self.path = path
        self._age = age
        self._rests_until = 0.0
        self._told_faulty_at = 0.0
        try:
            usable.check(path)
        except OSError as error:
            self.rest(error)

    def find(self, names: Names, span: Span) -> PieceFile | None:
        """Return the file of a piece, ``None`` if there is no good one."""
        path = self.path / names.piece(span)
        try:
            found = PieceFile(path, span.length)
        except FileNotFoundError:
            return None
        except Faulty as error:
            self.discard(names, span, error)
            return None
        except OSError as error:
            self.rest(error)
            return None
        if not self.is_fresh(found.written):
            found.close()
            remove(path, "age")
            return None
        found.touch()
        return found

    def draft(self, names: Names, span: Span) -> Draft:
        """Begin to write a piece.

        :raises Busy: if another process, or thread, is writing it
        :raises OSError: if nothing can be written
        """
        if time.monotonic() < self._rests_until:
            raise OSError(errno.EAGAIN, "Nothing is written for a while")
        path = self.path / names.piece(span)
        try:
            return Draft(path, span.length)
        except Faulty:
            remove(draft_of(path), "faulty")
            raise OSError(errno.EAGAIN, "Something else has its name") from None
        except OSError as error:
            self.rest(error)
            raise

    def drafted(self, names: Names, span: Span) -> int:
        """Return how much of a piece another process has written, -1 if none does."""
        try:
            return draft_of(self.path / names.piece(span)).stat().st_size
        except OSError:
            return -1

    def write(self, draft: Draft, block: memoryview) -> bool:
        """Write a block; return whether that went well."""
        began = time.monotonic()
        try:
            draft.write(block)
            if time.monotonic() > began + _SLOW:
                raise OSError(errno.ETIMEDOUT, "The disk is slow")
        except OSError as error:
            draft.drop()
            self.rest(error)
            return False
        return True

    def publish(self, draft: Draft, names: Names, span: Span, etag: str) -> bool:
        """Let all processes find a piece; return whether they do.

        The image may have been deleted since the piece was begun.  A download that was
        admitted just before that may have counted a use after it.
        """
        try:
            draft.publish(etag)
        except OSError as error:
            draft.drop()
            self.rest(error)
            return False
        metrics.HOT_WRITTEN.inc(span.length)
        if not self.was_used_twice(names):
            remove(self.path / names.piece(span), "deleted")
            return False
        return True

    def discard(self, names: Names, span: Span, error: Exception) -> None:
        """Remove the damaged file of a piece; the log says so once in a while."""
        metrics.HOT_FAULTY.inc()
        remove(self.path / names.piece(span), "faulty")
        now = time.monotonic()
        if not self._told_faulty_at or now > self._told_faulty_at + _REST:
            self._told_faulty_at = now
            LOG.warning("A piece in hot_images_dir was removed: %s", error)

    def count(self, names: Names) -> None:
        """Count a use of an image; more than two are as good as two.

        If the directory was removed, it is made again.
        """
        if time.monotonic() < self._rests_until:
            return
        path = self.path / names.uses
        try:
            usable.make(self.path)
            with opened(path, os.O_RDWR | os.O_CREAT | os.O_APPEND) as file:
                found = os.fstat(file.fileno())
                if not self.is_fresh(found.st_mtime):
                    file.truncate(0)
                if found.st_size < 2 or not self.is_fresh(found.st_mtime):
                    file.write(b".")
                os.utime(file.fileno())
        except Faulty:
            remove(path, "faulty")
        except (OSError, ConfigError) as error:
            self.rest(error)

    def was_used_twice(self, names: Names) -> bool:
        """Whether an image was used twice within the age."""
        try:
            found = (self.path / names.uses).stat()
        except OSError:
            return False
        return found.st_size > 1 and self.is_fresh(found.st_mtime)

    def is_fresh(self, when: float) -> bool:
        """Whether a time is within the age."""
        return -_FUTURE < time.time() - when < self._age

    def rest(self, error: Exception) -> None:
        """Write nothing for a while; say so once."""
        now = time.monotonic()
        if now < self._rests_until:
            return
        self._rests_until = now + _REST
        LOG.warning(
            "hot_images_dir: %s; nothing is written to it for %d seconds",
            getattr(error, "strerror", "") or error,
            _REST,
        )


def remove(path: pathlib.Path, reason: str) -> None:
    """Remove a file, or an empty directory in its place.

    It is no error if there is none, or if it cannot be.

    :param reason: ``age``, ``deleted``, ``faulty`` or ``size``
    """
    with contextlib.suppress(OSError):
        found = path.lstat()
        if stat.S_ISDIR(found.st_mode):
            path.rmdir()
            return
        path.unlink()
        metrics.HOT_REMOVED.labels(reason).inc(found.st_size)

# SPDX-License-Identifier: Apache-2.0
"""Reads a piece from S3 into the directory, or waits until another process has.

One process asks S3 for a piece, and holds the lock of its draft meanwhile.  The others
wait as long as the draft grows.  If it does not, or the process dies, they read the
piece by themselves.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from s3gateway.download.hot.files import BLOCK
from s3gateway.download.hot.files import Busy
from s3gateway.download.hot.files import Draft
from s3gateway.download.hot.files import Faulty
from s3gateway.download.hot.files import PieceFile
from s3gateway.errors import StoreUnavailable
from s3gateway.http.ranges import Span
from s3gateway.store import ObjectReader

#: How long a draft of another process may stay as it is.
_PATIENCE = 5.0  # seconds
_FIRST_LOOK = 0.005
_LAST_LOOK = 0.05


class Shelf(Protocol):
    """Where the pieces of an object are."""

    def find(self, span: Span) -> PieceFile | None:
        """Return the file of a piece, ``None`` if there is no good one."""

    def draft(self, span: Span) -> Draft:
        """Begin to write a piece.

        :raises Busy: if another process, or thread, is writing it
        :raises OSError: if nothing can be written
        """

    def drafted(self, span: Span) -> int:
        """Return how much another process has written of it, -1 if none does."""

    def write(self, draft: Draft, block: memoryview) -> bool:
        """Write a block; return whether that went well."""

    def publish(self, draft: Draft, span: Span, etag: str) -> None:
        """Let all processes find the piece."""

    def discard(self, span: Span, error: Exception) -> None:
        """Remove a damaged file."""


class HotReader:
    """Reads one piece, as an ``ObjectReader``; it begins with the first ``fill``.

    :param open_: opens the piece at the store
    """

    etag = ""  # the one of S3 is checked where it is opened

    def __init__(
        self, shelf: Shelf, span: Span, open_: Callable[[Span], ObjectReader]
    ) -> None:
        self._shelf = shelf
        self._span = span
        self._open = open_
        self._at = 0
        self._cut = threading.Event()
        self._file: PieceFile | None = None
        self._reader: ObjectReader | None = None
        self._draft: Draft | None = None

    def read(self, limit: int) -> bytes:
        raise NotImplementedError("A piece is read into slabs")

    def fill(self, buffer: memoryview) -> None:
        if self._file is None and self._reader is None:
            self._begin()
        if self._file is not None:
            self._fill_from(self._file, buffer)
        elif self._reader is not None:
            self._reader.fill(buffer)
            self._keep(buffer)
        self._at += len(buffer)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        if self._draft is not None:
            self._end(self._draft)
            self._draft = None
        if self._reader is not None:
            self._reader.close()

    def cut(self) -> None:
        self._cut.set()
        if self._reader is not None:
            self._reader.cut()

    def _begin(self) -> None:
        """Find the file, or begin to read from S3."""
        self._file = self._awaited()
        self._stop_if_cut()
        if self._file is None:
            self._reader = self._open(self._span)
            self._stop_if_cut()

    def _stop_if_cut(self) -> None:
        if self._cut.is_set():
            raise StoreUnavailable("No download needs the piece any more")

    def _awaited(self) -> PieceFile | None:
        """Return the file of the piece, ``None`` if S3 has to be asked.

        In the second case, and if the directory can be written, the draft is ours.
        """
        size, changed, pause = -1, time.monotonic(), _FIRST_LOOK
        while True:
            if (found := self._shelf.find(self._span)) is not None:
                return found
            try:
                self._draft = self._shelf.draft(self._span)
            except Busy:
                pass
            except OSError:
                return None
            else:
                return self._just_published(self._draft)
            now, drafted = time.monotonic(), self._shelf.drafted(self._span)
            if drafted != size:
                size, changed = drafted, now
            if now > changed + _PATIENCE or self._cut.wait(pause):
                return None
            pause = min(2 * pause, _LAST_LOOK)

    def _just_published(self, draft: Draft) -> PieceFile | None:
        """Look again: the process that had the draft may just have published it."""
        found = self._shelf.find(self._span)
        if found is not None:
            draft.drop()
            self._draft = None
        return found

    def _fill_from(self, file: PieceFile, buffer: memoryview) -> None:
        try:
            buffer[:] = file.block(self._at // BLOCK)
        except (Faulty, OSError, ValueError) as error:
            self._shelf.discard(self._span, error)
            raise StoreUnavailable("A piece in hot_images_dir is damaged") from None

    def _keep(self, block: memoryview) -> None:
        if self._draft is not None and not self._shelf.write(self._draft, block):
            self._draft = None

    def _end(self, draft: Draft) -> None:
        if draft.is_complete and self._reader is not None:
            self._shelf.publish(draft, self._span, self._reader.etag)
        else:
            draft.drop()

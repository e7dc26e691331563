# SPDX-License-Identifier: Apache-2.0
"""Pieces of objects in memory, shared by all downloads of the object.

S3 is asked once for what several downloads read.  A piece stays in memory as long as
several downloads are reading the object: another one may begin.  If memory is short, a
piece goes that no download needs, or needs last; one that is so far behind reads it
again.  No download waits for a slower one.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

from s3gateway.config.settings import TransferSettings
from s3gateway.download.failover import Copy
from s3gateway.download.hot.images import HotImages
from s3gateway.download.hot.images import NoHotImages
from s3gateway.download.objects import ObjectInUse
from s3gateway.download.piece import Piece
from s3gateway.http.ranges import Span
from s3gateway.streams.buffers import SLAB
from s3gateway.streams.buffers import Budget
from s3gateway.streams.buffers import Slabs

#: Has a piece fetched by a thread; raises RuntimeError or MemoryError if it cannot.
Submit = Callable[[Piece], None]

#: How much of the memory may be taken by pieces that are read ahead.  The rest is for
#: pieces that are needed at once: slow downloads would fill it with later ones.
_AHEAD = 7 / 8

#: What a download needs of the pieces while it reads on by itself.
NOTHING = Span(0, 0)


class Pieces:
    """The pieces of all objects that the downloads of this process are reading.

    :ivar size: of a piece in bytes; pieces begin at its multiples
    :ivar widest: most pieces that one download has read ahead; 1 to read none ahead
    :ivar lock: held by all that changes pieces
    :param budget: the memory for all pieces
    :param slabs: that memory
    :param hot_images: keeps pieces on disk, for other processes too
    """

    def __init__(
        self,
        size: int,
        widest: int,
        budget: Budget,
        slabs: Slabs,
        hot_images: NoHotImages | None = None,
    ) -> None:
        self.size = size
        self.widest = widest
        self.slabs = slabs
        self.hot_images = hot_images or NoHotImages()
        self._budget = budget
        self.lock = threading.Lock()
        self._objects: dict[Copy, ObjectInUse] = {}

    @classmethod
    def of(cls, transfer: TransferSettings) -> Pieces:
        """Make it from the settings."""
        size, widest = transfer.download_piece, transfer.download_window
        budget = Budget(transfer.download_memory, "download")
        slabs = Slabs(widest * size // SLAB)
        return cls(size, widest, budget, slabs, HotImages.of(transfer.hot_images))

    def join(self, copy: Copy, size: int, *, whole: bool = False) -> Reading:
        """Take part in reading an object; leave it on every path.

        :param size: of the object in bytes
        :param whole: whether all of it is to be read
        """
        with self.lock:
            found = self._objects.get(copy)
            if found is None:
                found = ObjectInUse(copy, size, self.size, self.hot_images)
                self._objects[copy] = found
            reading = Reading(self, found)
            found.readings.append(reading)
        if whole:
            found.hot.count()
        return reading

    def part(self, found: ObjectInUse, reading: Reading) -> None:
        """Undo ``join``."""
        found.readings.remove(reading)
        self.sweep(found)
        if not found.readings:
            del self._objects[found.copy]

    def make(self, found: ObjectInUse, span: Span, ahead: int) -> Piece | None:
        """Return a new piece, ``None`` if there is no memory.

        :param ahead: how soon it is needed, in bytes
        """
        piece = Piece(span, found.open, self.slabs, found.copy.store.name)
        if ahead and self._bound() + piece.memory > self._budget.size * _AHEAD:
            return None
        while not self._budget.take(piece.memory):
            if not self._drop_one(ahead):
                return None
        return piece

    def sweep(self, found: ObjectInUse) -> None:
        """Drop the pieces of an object that no download will read."""
        is_shared = len(found.readings) > 1
        for number, piece in list(found.pieces.items()):
            needed = piece.users or found.distance(piece) < math.inf
            if not needed and not (is_shared and piece.is_for_others):
                self.drop(found, number)

    def drop(self, found: ObjectInUse, number: int) -> None:
        """Drop a piece; those who read it still may do so."""
        piece = found.pieces.pop(number)
        if not piece.users:
            self.free(piece)

    def free(self, piece: Piece) -> None:
        """Give the memory of a piece back."""
        piece.drop()
        self._budget.give_back(piece.memory)

    def _bound(self) -> int:
        """Return how much memory cannot be given to another piece."""
        return sum(
            piece.memory
            for each in self._objects.values()
            for piece in each.pieces.values()
            if piece.users or not piece.is_for_others
        )

    def _drop_one(self, ahead: int) -> bool:
        """Drop the piece that is needed last, if that is later than ``ahead``.

        A piece that no download has read stays: S3 would have sent it in vain.
        """
        found = max(
            (
                (each.distance(piece), number, each)
                for each in self._objects.values()
                for number, piece in each.pieces.items()
                if piece.is_for_others and not piece.users
            ),
            key=lambda candidate: candidate[:2],
            default=None,
        )
        if found is None or found[0] <= ahead:
            return False
        self.drop(found[2], found[1])
        return True


class Reading:
    """One download of an object, and the pieces that it reads.

    :ivar at: position of the next byte that it needs of a piece
    :ivar stop: the end of what it needs of pieces
    """

    def __init__(self, pieces: Pieces, found: ObjectInUse) -> None:
        self.pieces = pieces
        self.at = self.stop = 0
        self._object = found

    @property
    def copy(self) -> Copy:
        """The copy of the image that is being read."""
        return self._object.copy

    @property
    def etag(self) -> str:
        """The version of the object; empty if it is not known yet."""
        return self._object.etag

    @property
    def is_shared(self) -> bool:
        """Whether other downloads read the object too, in any process."""
        return len(self._object.readings) > 1 or self._object.hot.is_hot

    def agrees_on(self, etag: str) -> bool:
        """Whether the pieces are of a version, which may be empty."""
        return self._object.agrees_on(etag)

    def needs(self, span: Span) -> None:
        """Say what is needed; the rest of the pieces may go."""
        with self.pieces.lock:
            self.at, self.stop = span.start, span.stop
            self.pieces.sweep(self._object)

    def begin(self, at: int, submit: Submit) -> Piece | None:
        """Return the piece for a position; start reading it unless that was done.

        :return: ``None`` if there is no memory for it
        :raises RuntimeError: if there is no thread for it
        """
        kept = self._kept(at)
        with self.pieces.lock:
            return self._begun(at, submit, kept)

    def take(self, at: int, submit: Submit) -> Piece | None:
        """Begin the piece for a position, and hold it."""
        kept = self._kept(at)
        with self.pieces.lock:
            piece = self._begun(at, submit, kept)
            if piece is not None:
                self._hold(piece)
            return piece

    def hold(self, piece: Piece) -> bool:
        """Keep a piece while it is read; return whether it is still there."""
        with self.pieces.lock:
            if not self._is_kept(piece):
                return False
            self._hold(piece)
            return True

    def let_go(self, piece: Piece, at: int) -> None:
        """Undo ``hold``.

        :param at: position of the next byte that is needed
        """
        with self.pieces.lock:
            self.at = at
            piece.users -= 1
            if not piece.users and not self._is_kept(piece):
                self.pieces.free(piece)
            self.pieces.sweep(self._object)

    def leave(self) -> None:
        """Take part no more."""
        with self.pieces.lock:
            self.pieces.part(self._object, self)
        self.pieces.hot_images.tidy()

    def _is_kept(self, piece: Piece) -> bool:
        """Whether other downloads can find a piece."""
        number = piece.span.start // self.pieces.size
        return self._object.pieces.get(number) is piece

    def _kept(self, at: int) -> Piece | None:
        """Return the piece for a position if it is on disk, and not in memory."""
        number = at // self.pieces.size
        found = self._object.pieces.get(number)
        wanted = found is None or found.has_failed
        return self._object.kept(number) if wanted else None

    def _begun(self, at: int, submit: Submit, kept: Piece | None) -> Piece | None:
        size, pieces = self.pieces.size, self._object.pieces
        number = at // size
        span = Span(at, min((number + 1) * size, self.stop))
        found = pieces.get(number)
        if found is not None and found.covers(span):
            if kept is not None:
                kept.drop()
            return found
        made = kept or self.pieces.make(self._object, span, at - self.at)
        if made is None:
            return None
        if number in pieces:
            self.pieces.drop(self._object, number)
        pieces[number] = made
        try:
            if made is not kept:
                submit(made)
        except BaseException:
            self.pieces.drop(self._object, number)
            raise
        return made

    def _hold(self, piece: Piece) -> None:
        piece.users += 1
        piece.was_read = True

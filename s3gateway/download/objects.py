# SPDX-License-Identifier: Apache-2.0
"""GET of an object that several downloads are reading, all of them the same version."""

from __future__ import annotations

import math
import threading
from typing import Protocol

from s3gateway.download.failover import Copy
from s3gateway.download.hot.images import NoHotImages
from s3gateway.download.hot.kept import KeptPiece
from s3gateway.download.piece import Piece
from s3gateway.errors import ObjectNotFound
from s3gateway.errors import StoreError
from s3gateway.http.ranges import Span
from s3gateway.store import ObjectReader


class Reader(Protocol):
    """A download that needs the bytes from ``at`` to ``stop`` of pieces."""

    at: int
    stop: int


class ObjectInUse:
    """An object that downloads are reading.

    :ivar etag: its version; empty until it is known
    :ivar pieces: those in memory or under way, by their number
    :ivar hot: what the directory of hot images has of it
    :param size: of the object in bytes
    :param piece: size of a piece in bytes
    """

    def __init__(self, copy: Copy, size: int, piece: int, images: NoHotImages) -> None:
        self.copy = copy
        self.etag = ""
        self.readings: list[Reader] = []
        self.pieces: dict[int, Piece] = {}
        self.hot = images.image(copy, size, self.agrees_on)
        self._size = size
        self._piece = piece
        self._lock = threading.Lock()

    def open(self, span: Span) -> ObjectReader:
        """Open a span, while other spans are open."""
        if span != self._whole(span.start // self._piece):
            return self._open(span)
        return self.hot.open(span, self._open)

    def kept(self, number: int) -> KeptPiece | None:
        """Return a piece from the directory of hot images, ``None`` if it has none."""
        return self.hot.kept(self._whole(number))

    def agrees_on(self, etag: str) -> bool:
        """Whether a version is that of the pieces; the first one is."""
        with self._lock:
            self.etag = self.etag or etag
            return etag in ("", self.etag)

    def distance(self, piece: Piece) -> float:
        """Return how far the next download is before a piece, in bytes."""
        distances = (
            max(piece.span.start - reading.at, 0)
            for reading in self.readings
            if reading.at < piece.span.stop and reading.stop > piece.span.start
        )
        return min(distances, default=math.inf)

    def _whole(self, number: int) -> Span:
        """Return the span of a piece that no range cuts short."""
        start = number * self._piece
        return Span(start, min(start + self._piece, self._size))

    def _open(self, span: Span) -> ObjectReader:
        """Open a span at the store.

        :raises StoreError: if the store ignores ranges, or has another version
        """
        self._check_ranges()
        try:
            return self._of_this_version(span)
        except ObjectNotFound:  # also if the version is that of a file: it is old
            self.hot.forget()
            raise

    def _of_this_version(self, span: Span) -> ObjectReader:
        reader = self.copy.open(span, size=self._size, etag=self.etag)
        try:
            self._check_ranges()
            if not self.agrees_on(reader.etag):
                name = self.copy.store.name
                raise ObjectNotFound(f"Store {name} has another version")
        except BaseException:
            reader.close()
            raise
        return reader

    def _check_ranges(self) -> None:
        if self.copy.store.knows_ranges is False:
            raise StoreError(f"Store {self.copy.store.name} does not support ranges")

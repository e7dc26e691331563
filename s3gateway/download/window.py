# SPDX-License-Identifier: Apache-2.0
"""Reads pieces of an object ahead of the client, on several connections, in order.

One connection to a distant S3 is slow, however fast the line is.  The window grows
while the client waits for S3, and shrinks while S3 is far ahead of the client.
"""

from __future__ import annotations

import collections
import contextlib
from collections.abc import Callable
from concurrent import futures

from oslo_log import log as logging

from s3gateway.download.piece import Piece
from s3gateway.download.pieces import NOTHING
from s3gateway.download.pieces import Reading
from s3gateway.download.pieces import Submit
from s3gateway.http.ranges import Span
from s3gateway.monitoring import metrics

LOG = logging.getLogger(__name__)

_FIRST_WIDTH = 8  # pieces

Begin = Callable[[int, Submit], "Piece | None"]


class Window:
    """Reads a span ahead; close it on every path.

    :ivar at: position of the next byte
    :param reading: the pieces of the object
    :param pool: reads pieces that no other download reads; ends with the window
    """

    def __init__(self, reading: Reading, span: Span, *, pool: futures.Executor) -> None:
        self.at = span.start
        self._reading = reading
        self._next = span.start
        self._end = self._stop = span.stop
        self._widest = reading.pieces.widest
        self._width = min(_FIRST_WIDTH, self._widest)
        self._ahead: collections.deque[Piece] = collections.deque()
        self._begun: set[Piece] = set()
        self._held: Piece | None = None
        self._tried_again = False
        self._shared = 0
        self._pool = pool
        self._in_use = contextlib.ExitStack()
        self._in_use.enter_context(reading.pieces.slabs.in_use())
        reading.needs(span)
        try:
            self._fill()
        except BaseException:
            self.close()
            raise

    @property
    def etag(self) -> str:
        """The version of the object that the bytes are of."""
        return self._reading.etag

    def read(self) -> bytes:
        """Return the next bytes, none at the end of the window.

        :raises StoreError: if a piece could not be fetched
        """
        piece = self._held or self._take()
        if piece is None:
            return b""
        if not (data := self._bytes_of(piece)):
            return self.read()
        self._tried_again = False
        stop = min(piece.span.stop, self._end)
        data = data[: stop - self.at]
        self.at += len(data)
        if piece not in self._begun:
            self._shared += len(data)
        if self.at == stop:
            self._let_go()
        self._fill()
        return data

    def fetch_no_more(self) -> None:
        """Start no more pieces; those under way are still read."""
        self._stop = self._next

    def close(self) -> None:
        """Drop all pieces, and cut their connections, unless others read them.

        Shared bytes count now, as those of the download do when it ends: else the share
        of them would be more than all while a long download runs.
        """
        shared, self._shared = self._shared, 0
        metrics.SHARED_BYTES.labels(self._reading.copy.store.name).inc(shared)
        self.fetch_no_more()
        self._ahead.clear()
        self._let_go()
        self._reading.needs(NOTHING)
        self._pool.shutdown(wait=False)
        self._in_use.close()

    def _take(self) -> Piece | None:
        """Hold the next piece; adapt the width to whether the client waits.

        A piece that was dropped meanwhile, or has failed for another download, is read
        again.
        """
        piece = None
        if self._ahead and self._ahead[0].holds(self.at):
            piece = self._ahead.popleft()
        if piece is None or not self._may_hold(piece):
            piece = self._begin(self.at, self._reading.take)
            if piece is None:
                return None
        self._held = piece
        if not piece.is_complete:
            self._width = min(2 * self._width, self._widest)
        elif self._is_far_ahead():
            self._width = max(self._width - 1, 1)
        self._fill()
        return piece

    def _bytes_of(self, piece: Piece) -> bytes:
        """Return the next bytes of a piece.

        :return: none if the piece has failed for another download.  It is tried once
            again: one of those that wait for it has it read, and the others wait on
        """
        try:
            return piece.read(self.at)
        except BaseException:
            mine = piece in self._begun
            if mine or self._tried_again or not piece.has_failed:
                raise
            self._tried_again = True
            self._let_go()
            return b""

    def _may_hold(self, piece: Piece) -> bool:
        usable = piece in self._begun or not piece.has_failed
        return usable and self._reading.hold(piece)

    def _let_go(self) -> None:
        if self._held is not None:
            self._begun.discard(self._held)
            self._reading.let_go(self._held, self.at)
            self._held = None

    def _is_far_ahead(self) -> bool:
        """Whether half of the window is in memory; fewer pieces may be chance."""
        there = sum(piece.is_complete for piece in self._ahead)
        return 2 * there >= len(self._ahead)

    def _fill(self) -> None:
        while len(self._ahead) < self._most_ahead():
            piece = self._begin(self._next, self._reading.begin)
            if piece is None:
                return
            self._ahead.append(piece)

    def _most_ahead(self) -> int:
        """Return how many pieces may be ahead of the one that is held.

        It is one in all until the store has answered a range: a store that ignores
        ranges sends the whole object for each piece.
        """
        if self._reading.copy.store.knows_ranges is None:
            return int(self._held is None)
        return self._width

    def _begin(self, at: int, begin: Begin) -> Piece | None:
        """Return the piece for a position; ``None`` without memory or a thread.

        Without a thread the window ends before this piece.
        """
        if at >= self._stop:
            return None
        try:
            piece = begin(at, self._submit)
        except (RuntimeError, MemoryError) as error:
            LOG.warning("Reading ahead stops at byte %d: %s", at, error)
            self.fetch_no_more()
            return None
        if piece is not None:
            self._next = max(self._next, min(piece.span.stop, self._end))
        return piece

    def _submit(self, piece: Piece) -> None:
        self._pool.submit(piece.fetch)
        self._begun.add(piece)

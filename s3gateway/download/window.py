# SPDX-License-Identifier: Apache-2.0
"""Reads pieces of an object ahead of the client, on several connections, in order.

One connection to a distant S3 is slow, however fast the line is.  The window grows
while the client waits for S3, and shrinks while S3 is far ahead of the client.
"""

from __future__ import annotations

import collections
import contextlib
import mmap
import threading
from collections.abc import Callable
from concurrent import futures

from oslo_log import log as logging

from s3gateway.errors import StoreUnavailable
from s3gateway.http.ranges import Span
from s3gateway.monitoring import transfers
from s3gateway.store import ObjectReader
from s3gateway.streams.buffers import SLAB
from s3gateway.streams.buffers import Budget
from s3gateway.streams.buffers import Slabs
from s3gateway.streams.retries import patiently

LOG = logging.getLogger(__name__)

#: How long a failed piece is retried; after that the download itself reads on.
_RETRY_TIME = 5.0  # seconds

_FIRST_WIDTH = 8  # pieces

Open = Callable[[Span], ObjectReader]


class Piece:
    """A span of an object that a thread reads into memory."""

    def __init__(self, span: Span, open_: Open, slabs: Slabs) -> None:
        self.future: futures.Future[list[mmap.mmap]] = futures.Future()
        self.span = span
        self._open = open_
        self._slabs = slabs
        self._reader: ObjectReader | None = None
        self._cancelled = threading.Event()
        self._lock = threading.Lock()

    def fetch(self) -> None:
        """Read the piece into slabs, and put the slabs into ``future``."""
        try:
            slabs = patiently(
                self._read_all,
                about=f"a piece at byte {self.span.start}",
                retry_time=_RETRY_TIME,
                cancelled=self._cancelled,
            )
            self.future.set_result(slabs)
        except BaseException as error:  # noqa: BLE001  the reader of the piece gets it
            self.future.set_exception(error)

    def cancel(self) -> None:
        """Cut the connection if the piece is still being read."""
        with self._lock:
            self._cancelled.set()
            if self._reader is not None:
                self._reader.cut()

    def _read_all(self) -> list[mmap.mmap]:
        if self._cancelled.is_set():
            raise StoreUnavailable("The window was closed")
        with transfers.part_in_flight():
            return self._read_from(self._open(self.span))

    def _read_from(self, reader: ObjectReader) -> list[mmap.mmap]:
        try:
            with self._lock:
                self._reader = reader
            slabs = []
            for start in range(0, self.span.length, SLAB):
                slabs.append(self._slabs.take())
                with memoryview(slabs[-1]) as whole:
                    reader.fill(whole[: self.span.length - start])
            return slabs
        finally:
            with self._lock:
                self._reader = None
            reader.close()


class Window:
    """Reads a span ahead; close it on every path.

    :ivar at: position of the next byte
    :param open_: opens a span of the object
    :param pool: reads pieces, ``widest`` of them at once; ends with the window
    :param piece: the size of a piece in bytes
    :param widest: most pieces that are in memory or under way at once
    """

    def __init__(
        self,
        open_: Open,
        span: Span,
        *,
        pool: futures.Executor,
        piece: int,
        widest: int,
        budget: Budget,
        slabs: Slabs,
    ) -> None:
        self.at = span.start
        self._open = open_
        self._next = span.start
        self._stop = span.stop
        self._piece = piece
        self._widest = widest
        self._budget = budget
        self._width = min(_FIRST_WIDTH, widest)
        self._ahead: collections.deque[Piece] = collections.deque()
        self._slabs = slabs
        self._taken: collections.deque[mmap.mmap] = collections.deque()
        self._end = span.start
        self._pool = pool
        self._in_use = contextlib.ExitStack()
        self._in_use.enter_context(slabs.in_use())
        try:
            self._fill()
        except BaseException:
            self.close()
            raise

    def read(self) -> bytes:
        """Return the next bytes, none at the end of the window.

        :raises StoreError: if a piece could not be fetched
        """
        if not self._taken and self._ahead:
            self._take()
        if not self._taken:
            return b""
        slab = self._taken.popleft()
        data = slab[: self._end - self.at]
        self._slabs.give_back([slab])
        self.at += len(data)
        return data

    def fetch_no_more(self) -> None:
        """Start no more pieces; those under way are still read."""
        self._stop = self._next

    def close(self) -> None:
        """Cut all connections and drop all pieces."""
        self.fetch_no_more()
        while self._ahead:
            self._drop(self._ahead.popleft())
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._in_use.close()

    def _take(self) -> None:
        """Take the next piece; adapt the width to whether the client waited."""
        piece = self._ahead[0]
        waits = not piece.future.done()
        self._taken.extend(piece.future.result())
        self._end = piece.span.stop
        self._ahead.popleft()
        self._budget.give_back(self._piece)
        if waits:
            self._width = min(2 * self._width, self._widest)
        elif self._is_far_ahead():
            self._width = max(self._width - 1, 1)
        self._fill()

    def _is_far_ahead(self) -> bool:
        """Whether half of the window is in memory; fewer pieces may be chance."""
        there = sum(piece.future.done() for piece in self._ahead)
        return 2 * there >= len(self._ahead)

    def _fill(self) -> None:
        while len(self._ahead) < self._width and self._next < self._stop:
            if not self._budget.take(self._piece):
                return
            stop = min(self._next + self._piece, self._stop)
            piece = Piece(Span(self._next, stop), self._open, self._slabs)
            if not self._submit(piece):
                return
            self._next = stop

    def _submit(self, piece: Piece) -> bool:
        """Start reading a piece; return whether a thread was available.

        Without one the window ends before this piece.
        """
        self._ahead.append(piece)
        try:
            self._pool.submit(piece.fetch)
        except (RuntimeError, MemoryError) as error:
            LOG.warning("Reading ahead stops at byte %d: %s", self._next, error)
            self._drop(self._ahead.pop())
            self.fetch_no_more()
            return False
        return True

    def _drop(self, piece: Piece) -> None:
        piece.cancel()
        self._budget.give_back(self._piece)

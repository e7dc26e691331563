# SPDX-License-Identifier: Apache-2.0
"""A piece: a span of an object that a thread reads from S3 into memory."""

from __future__ import annotations

import math
import mmap
import threading
from collections.abc import Callable

from s3gateway.errors import StoreUnavailable
from s3gateway.http.ranges import Span
from s3gateway.monitoring import transfers
from s3gateway.store import ObjectReader
from s3gateway.streams.buffers import SLAB
from s3gateway.streams.buffers import Slabs
from s3gateway.streams.retries import patiently
from s3gateway.streams.retries import time_to_answer

#: How long a failed piece is retried; after that the download itself reads on.
_RETRY_TIME = 5.0  # seconds

Open = Callable[[Span], ObjectReader]


class Piece:
    """A span of an object that a thread reads into memory, slab by slab.

    :ivar span: where it lies in the object
    :ivar users: how many downloads are reading it
    :ivar was_read: whether a download has begun to read it
    :param store: the store's identifier
    """

    def __init__(self, span: Span, open_: Open, slabs: Slabs, store: str) -> None:
        self.span = span
        self.users = 0
        self.was_read = False
        self._open = open_
        self._slabs = slabs
        self._store = store
        self._filled: list[mmap.mmap] = []
        self._failure: BaseException | None = None
        self._ended = False
        self._reader: ObjectReader | None = None
        self._cancelled = threading.Event()
        self._changed = threading.Condition()

    @property
    def memory(self) -> int:
        """How much memory it takes, in bytes."""
        return math.ceil(self.span.length / SLAB) * SLAB

    @property
    def is_complete(self) -> bool:
        return len(self._filled) * SLAB >= self.span.length

    @property
    def is_for_others(self) -> bool:
        """Whether one download has it, and it is in memory for other ones."""
        return self.was_read and self.is_complete

    @property
    def has_failed(self) -> bool:
        return self._failure is not None

    def holds(self, at: int) -> bool:
        """Whether the byte at a position lies in it."""
        return self.span.start <= at < self.span.stop

    def covers(self, span: Span) -> bool:
        """Whether all bytes of a span are in it, or will be."""
        inside = self.span.start <= span.start and span.stop <= self.span.stop
        return inside and not self.has_failed

    def fetch(self) -> None:
        """Read all of it into slabs."""
        failure = None
        try:
            patiently(
                self._read_on,
                about=f"a piece at byte {self.span.start}",
                retry_time=_RETRY_TIME,
                cancelled=self._cancelled,
                store=self._store,
            )
        except BaseException as error:  # noqa: BLE001  the readers of the piece get it
            failure = error
        with self._changed:
            self._failure = failure
            self._ended = True
            self._give_back()
            self._changed.notify_all()

    def read(self, at: int) -> bytes:
        """Wait for the bytes at a position; return those that are in the same slab.

        :raises StoreError: if they could not be read
        """
        if not self.holds(at):  # never hand out other bytes
            raise RuntimeError(f"The byte {at} is not in a piece of {self.span}")
        number, begin = divmod(at - self.span.start, SLAB)
        with self._changed:
            self._changed.wait_for(
                lambda: number < len(self._filled) or self.has_failed,
                timeout=min(time_to_answer(math.inf), threading.TIMEOUT_MAX),
            )
            if number < len(self._filled):
                slab = self._filled[number]
            else:
                raise self._failure or StoreUnavailable("A piece is late")
        return slab[begin : self.span.length - number * SLAB]

    def drop(self) -> None:
        """Cut the connection if it is still being read; give the memory back."""
        with self._changed:
            self._cancelled.set()
            if self._reader is not None:
                self._reader.cut()
            self._give_back()

    def _give_back(self) -> None:
        """Give the slabs back if it is dropped, and no thread fills them."""
        if self._cancelled.is_set() and self._ended:
            filled, self._filled = self._filled, []
            self._slabs.give_back(filled)

    def _must_be_needed(self) -> None:
        if self._cancelled.is_set():
            raise StoreUnavailable("No download needs the piece any more")

    def _read_on(self) -> None:
        """Read what is not there yet."""
        self._must_be_needed()
        start = self.span.start + len(self._filled) * SLAB
        with transfers.part_in_flight():
            reader = self._open(Span(start, self.span.stop))
            try:
                with self._changed:
                    self._must_be_needed()  # it may have been dropped meanwhile
                    self._reader = reader
                self._fill_from(reader)
            finally:
                with self._changed:
                    self._reader = None
                reader.close()

    def _fill_from(self, reader: ObjectReader) -> None:
        while not self.is_complete:
            self._must_be_needed()
            rest = self.span.length - len(self._filled) * SLAB
            slab = self._slabs.take()
            with memoryview(slab) as whole:
                reader.fill(whole[:rest])
            with self._changed:
                self._filled.append(slab)
                self._changed.notify_all()

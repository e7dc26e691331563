# SPDX-License-Identifier: Apache-2.0
"""Writes an object to a store: sends parts in parallel, then commits once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent import futures
from types import TracebackType

from s3gateway.errors import StoreError
from s3gateway.monitoring import metrics
from s3gateway.monitoring import transfers
from s3gateway.store import NOTHING
from s3gateway.store import About
from s3gateway.store import ObjectStore
from s3gateway.store import Writer
from s3gateway.streams.buffers import Budget
from s3gateway.upload.parts import Part


class Sender:
    """An object that becomes visible with ``commit``, or not at all.

    An object that fits one part and is smaller than ``s3_store_large_object_size`` is
    one PUT; any other is a multipart upload.  Leaving the context without a commit
    aborts.  In both cases nothing is in flight afterwards.

    :param key: the object's key, which no other attempt uses
    :param length: the object's size in bytes, ``None`` while unknown
    :param most_bytes: most memory to reserve at once; two parts are always allowed
    :param budget: memory that all uploads share; an upload waits for it only if a part
        of its own is under way, which will give some back
    :param began: called with the upload id before the first part of a multipart
        upload is sent
    :param release: called, in any thread, with each part that has been sent
    :param about: the facts about the image that are known before its data
    """

    def __init__(
        self,
        store: ObjectStore,
        key: str,
        *,
        length: int | None,
        most_bytes: int,
        budget: Budget,
        began: Callable[[str], None],
        release: Callable[[Part], None],
        about: About = NOTHING,
    ) -> None:
        self._about = about
        self._store = store
        self._key = key
        self._length = length
        self._most_bytes = most_bytes
        self._budget = budget
        self._began = began
        self._release = release
        self._pool = futures.ThreadPoolExecutor(
            store.settings.max_parts_in_flight, "s3-part", transfers.joining()
        )
        self._held: Part | None = None
        self._writer: Writer | None = None
        self._committed = False
        self._moved = threading.Condition()
        self._reserved = 0
        self._failure: BaseException | None = None

    def reserve(self, size: int) -> None:
        """Wait until ``size`` more bytes of memory are free.

        :raises StoreError: if a part could not be sent
        """
        most = max(self._most_bytes, 2 * size)
        with self._moved:
            self._moved.wait_for(lambda: self._failure or self._reserved + size <= most)
        self._budget.wait_for(size, self._has_nothing_under_way)
        with self._moved:
            self._reserved += size
        self._check()

    def send(self, part: Part) -> None:
        """Send the next part, for which memory is reserved; return at once.

        :raises StoreError: if the upload could not begin
        """
        if self._writer is None and self._held is None and self._may_be_last(part):
            self._held = part
            return
        self._hand_over(self._writer or self._begin(), part)

    def commit(self, about: About = NOTHING) -> str:
        """Make the object visible when all its parts are stored.

        :param about: the facts about the image that are known by now.  A single PUT
            sends them; a multipart upload sent only those from the beginning
        :return: the object's etag; empty if the store returns none
        :raises StoreError: if a part or the commit failed
        """
        etag = ""
        large = self._store.settings.large_object_size
        if self._held is not None and self._held.length >= large:
            self._begin()
        self._pool.shutdown()
        self._check()
        if self._held is not None:
            known = {**self._about, **about}
            etag = self._store.put(self._key, self._held.buffers(), about=known)
        elif self._writer is not None:
            etag = self._writer.commit()
        self._committed = True
        return etag

    def _has_nothing_under_way(self) -> bool:
        held = self._held.planned if self._held is not None else 0
        return self._failure is not None or self._reserved <= held

    def _begin(self) -> Writer:
        self._writer = self._store.begin(self._key, self._about)
        self._began(self._writer.upload_id)
        if self._held is not None:
            self._hand_over(self._writer, self._held)
            self._held = None
        return self._writer

    def _may_be_last(self, part: Part) -> bool:
        return self._length is None or part.stop >= self._length

    def _hand_over(self, writer: Writer, part: Part) -> None:
        """Have a thread send a part; send it here if there is none to be had.

        That is so when the process has too many, and when it ends: a server that does
        not wait any longer for its transfers lets them end by themselves.
        """
        unsent = threading.Lock()

        def send() -> None:
            if unsent.acquire(blocking=False):
                self._send(writer, part)

        try:
            self._pool.submit(send)
        except RuntimeError:  # one that runs already may have been given it
            send()

    def _send(self, writer: Writer, part: Part) -> None:
        try:
            if self._failure is None:
                with transfers.part_in_flight():
                    writer.send(part.number, part.buffers())
        except BaseException as error:  # noqa: BLE001  reserve or commit raises it
            self._failure = self._failure or error
        finally:
            self._release(part)
            with self._moved:
                self._reserved -= part.planned
                self._moved.notify_all()
            self._budget.give_back(part.planned)

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def __enter__(self) -> Sender:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if not self._committed:
                self._abort(error)
        finally:
            if self._held is not None:
                self._release(self._held)
            self._budget.give_back(self._reserved)

    def _abort(self, error: BaseException | None) -> None:
        if error is not None:
            metrics.ABORTED_UPLOADS.labels(self._store.name).inc()
        self._failure = self._failure or error or StoreError("not committed")
        if self._writer is not None:
            self._writer.cancel()
        self._pool.shutdown(cancel_futures=True)
        if self._writer is not None:
            self._writer.abort()

# SPDX-License-Identifier: Apache-2.0
"""The bytes of an S3 object on their way in."""

from __future__ import annotations

import contextlib
import functools
import http.client
import socket
from collections.abc import Callable
from typing import TypeVar

import urllib3

from s3gateway.config.stores import MIB
from s3gateway.errors import ObjectNotFound
from s3gateway.errors import StoreError
from s3gateway.http.ranges import Span
from s3gateway.s3 import dates
from s3gateway.s3 import errors as s3errors
from s3gateway.s3 import http as s3http
from s3gateway.s3 import metadata
from s3gateway.store import Note

_SKIPPED_AT_ONCE = MIB
_MOST_OF_A_NOTE = 64 * 1024

_Received = TypeVar("_Received", bytes, int)


class S3Reader:
    """An answer to GET, of which exactly the span is read that was asked for.

    A server that does not know ranges answers with the whole object; then what lies
    before the span is read and thrown away.

    :ivar ranged: whether the answer is the span and nothing else
    :param etag: the version that was asked for; any if empty
    :raises ObjectNotFound: if the object is of another size or version
    :raises StoreError: if the answer is something else than was asked for
    """

    def __init__(
        self,
        store: str,
        answer: urllib3.BaseHTTPResponse,
        span: Span,
        size: int,
        etag: str = "",
    ) -> None:
        self.etag = answer.headers.get("ETag", "")
        self.ranged = answer.status == 206 or span.length == size
        self._store = store
        self._answer = answer
        self._source = _source(answer)
        self._rest = span.length
        self._skip = 0 if self.ranged else span.start
        try:
            self._check(span, size)
            self._check_version(etag)
        except StoreError:
            self.close()
            raise

    def read(self, limit: int) -> bytes:
        self._skip_what_lies_before()
        if not self._rest:
            return b""
        data = self._next(min(limit, self._rest))
        self._took(len(data))
        return data

    def fill(self, buffer: memoryview) -> None:
        self._skip_what_lies_before()
        while buffer:
            count = self._received(functools.partial(self._source.readinto, buffer))
            buffer = buffer[count:]
            self._took(count)

    def close(self) -> None:
        self._answer.close()

    def cut(self) -> None:
        connection = getattr(self._answer, "connection", None)
        if (sock := getattr(connection, "sock", None)) is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _skip_what_lies_before(self) -> None:
        while self._skip:
            self._skip -= len(self._next(min(_SKIPPED_AT_ONCE, self._skip)))

    def _took(self, count: int) -> None:
        """Count bytes of the span; give the connection back after the last."""
        self._rest -= count
        if not self._rest and self.ranged:
            self._answer.release_conn()
        elif not self._rest:
            self.close()

    def _next(self, limit: int) -> bytes:
        return self._received(functools.partial(self._answer.read, limit))

    def _received(self, read: Callable[[], _Received]) -> _Received:
        """Return what was read, bytes or their number."""
        try:
            received = read()
        except s3http.BROKEN as error:
            raise s3errors.of_urllib3(self._store, error) from None
        if not received:
            raise s3errors.cut_short(self._store)
        return received

    def _check(self, span: Span, size: int) -> None:
        whole = span.length == size or not self.ranged
        if self._answer.status != (200 if whole else 206):
            raise StoreError(f"Store {self._store} gave an answer to another question")
        length = self._answer.headers.get("Content-Length")
        if whole and length != str(size):
            raise ObjectNotFound(f"Store {self._store} has an object of another size")
        found = self._answer.headers.get("Content-Range")
        if not whole and found != span.content_range(size):
            raise ObjectNotFound(f"Store {self._store} answered with another range")

    def _check_version(self, etag: str) -> None:
        """A server that does not know If-Match hands out any version."""
        if etag and self.etag.strip('"') != etag.strip('"'):
            raise ObjectNotFound(f"Store {self._store} has another version")


def note(store: str, answer: urllib3.BaseHTTPResponse) -> Note:
    """Return a small object in an answer to GET; the answer stays open.

    :param store: the store's identifier, for error texts
    """
    try:
        data = answer.read(_MOST_OF_A_NOTE)
    except s3http.BROKEN as error:
        raise s3errors.of_urllib3(store, error) from None
    now, written = (
        dates.parsed(answer.headers.get(name)) for name in ("Date", "Last-Modified")
    )
    return Note(
        data,
        answer.headers.get("ETag", ""),
        dates.age(now, written),
        metadata.glance_id(answer.headers),
    )


def _source(
    answer: urllib3.BaseHTTPResponse,
) -> urllib3.BaseHTTPResponse | http.client.HTTPResponse:
    """Return what fills buffers with an answer's body.

    urllib3 reads into memory of its own and copies; what it has below it does not.
    """
    below = getattr(answer, "_fp", None)
    if isinstance(below, http.client.HTTPResponse) and not below.chunked:
        return below
    return answer

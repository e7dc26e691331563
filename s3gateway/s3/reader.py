# SPDX-License-Identifier: Apache-2.0
"""GET of S3 objects: reads a span of the body."""

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
    """Reads exactly one span from the response to a GET.

    A server without ranges sends the whole object.  The bytes before the span are then
    read and discarded.

    :ivar ranged: whether the response holds only the span
    :param etag: the requested version; any if empty
    :raises ObjectNotFound: if the object has another size or version
    :raises StoreError: if the response is not what was requested
    """

    def __init__(
        self,
        store: str,
        answer: urllib3.BaseHTTPResponse,
        span: Span,
        size: int,
        etag: str = "",
    ) -> None:
        # A proxy before S3 may have weakened it, and If-Match takes no weak one
        # (RFC 9110, 13.1.1).
        self.etag = answer.headers.get("ETag", "").removeprefix("W/")
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
        if (sock := s3http.socket_of(self._answer)) is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _skip_what_lies_before(self) -> None:
        while self._skip:
            self._skip -= len(self._next(min(_SKIPPED_AT_ONCE, self._skip)))

    def _took(self, count: int) -> None:
        """Count bytes of the span; give the connection back after the last.

        A chunked body ends with an empty chunk, which has not been read then: the next
        response on its connection would begin with that.
        """
        self._rest -= count
        if self._rest:
            return
        if self.ranged and not _is_chunked(self._answer):
            self._answer.release_conn()
        else:
            self.close()

    def _next(self, limit: int) -> bytes:
        return self._received(functools.partial(self._source.read, limit))

    def _received(self, read: Callable[[], _Received]) -> _Received:
        """Return the result of a read: bytes or their number."""
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
            raise StoreError(
                f"Store {self._store} returned the wrong object or range. Check for a "
                "caching proxy in front of S3"
            )
        length = self._answer.headers.get("Content-Length")
        if whole and length != str(size):
            raise ObjectNotFound(f"Store {self._store} has an object of another size")
        found = self._answer.headers.get("Content-Range")
        if not whole and found != span.content_range(size):
            raise ObjectNotFound(f"Store {self._store} returned another range")

    def _check_version(self, etag: str) -> None:
        """Check the ETag: a server without If-Match sends any version."""
        if etag and self.etag.strip('"') != etag.strip('"'):
            raise ObjectNotFound(f"Store {self._store} has another version")


def note(store: str, answer: urllib3.BaseHTTPResponse) -> Note:
    """Return a small object from the response to a GET; it stays open.

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


def _is_chunked(answer: urllib3.BaseHTTPResponse) -> bool:
    return "chunked" in answer.headers.get("Transfer-Encoding", "").lower()


def _source(
    answer: urllib3.BaseHTTPResponse,
) -> urllib3.BaseHTTPResponse | http.client.HTTPResponse:
    """Return an object that reads the body of a response without a copy.

    urllib3 reads into its own memory and copies; the ``http.client`` response below it
    does not.
    """
    below = getattr(answer, "_fp", None)
    if isinstance(below, http.client.HTTPResponse) and not _is_chunked(answer):
        return below
    return answer

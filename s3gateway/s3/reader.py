# SPDX-License-Identifier: Apache-2.0
"""The bytes of an S3 object on their way in."""

from __future__ import annotations

import contextlib
import socket

import urllib3

from s3gateway.errors import ObjectNotFound
from s3gateway.errors import StoreError
from s3gateway.ranges import Span
from s3gateway.s3 import errors as s3errors
from s3gateway.s3 import http as s3http


class S3Reader:
    """An answer to GET that is exactly the span that was asked for.

    :raises ObjectNotFound: if the object is of another size
    :raises StoreError: if the answer is something else than was asked for
    """

    def __init__(
        self, store: str, answer: urllib3.BaseHTTPResponse, span: Span, size: int
    ) -> None:
        self.etag = answer.headers.get("ETag", "")
        self._store = store
        self._answer = answer
        self._rest = span.length
        try:
            self._check(span, size)
        except StoreError:
            self.close()
            raise

    def read(self, limit: int) -> bytes:
        try:
            data = self._answer.read(min(limit, self._rest))
        except s3http.BROKEN as error:
            raise s3errors.of_urllib3(self._store, error) from None
        if not data and self._rest:
            raise s3errors.cut_short(self._store)
        self._rest -= len(data)
        if not self._rest:
            self._answer.release_conn()
        return data

    def close(self) -> None:
        self._answer.close()

    def cut(self) -> None:
        connection = getattr(self._answer, "connection", None)
        if (sock := getattr(connection, "sock", None)) is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _check(self, span: Span, size: int) -> None:
        whole = span.length == size
        if self._answer.status != (200 if whole else 206):
            raise StoreError(f"Store {self._store} does not know ranges")
        length = self._answer.headers.get("Content-Length")
        if whole and length != str(size):
            raise ObjectNotFound(f"Store {self._store} has an object of another size")
        found = self._answer.headers.get("Content-Range")
        if not whole and found != span.content_range(size):
            raise ObjectNotFound(f"Store {self._store} answered with another range")

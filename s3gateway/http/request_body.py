# SPDX-License-Identifier: Apache-2.0
"""Reads the request body under every WSGI server.

Under uWSGI a chunked body comes from ``uwsgi.chunked_read()``, and ``wsgi.input`` reads
as empty.  Under other servers ``wsgi.input`` has both kinds.
"""

from __future__ import annotations

import contextlib
import functools
import io
import re
from collections.abc import Callable

from s3gateway.errors import ClientGone
from s3gateway.errors import RequestError
from s3gateway.errors import SizeMismatch
from s3gateway.errors import TooLarge
from s3gateway.http import fast_lane
from s3gateway.http import servers
from s3gateway.http import waiting
from s3gateway.http import wsgi
from s3gateway.http.wsgi import Environ

# RFC 9110, 5.6.3 and 8.6; a real body has no longer size.
_BLANKS = " \t"
_LENGTH = re.compile("[0-9]{1,18}")

_TOO_LARGE = "The incoming image is too large: The provided image is too large."

_MOST_OF_A_DOCUMENT = 4 * 1024**2

_CHUNKED_STEP = 256 * 1024  # gunicorn collects chunks in ever larger copies


def is_chunked(environ: Environ) -> bool:
    """Whether the body is chunked, so that its length is unknown.

    If a server and the proxy in front of it disagree about where a body ends, a client
    can smuggle a request in the body (RFC 9112, 11.2).  So only ``chunked`` is allowed,
    and no Content-Length beside it.  Web servers that speak uwsgi's protocol send both:
    they have joined the chunks, and uWSGI reads as many bytes as the length says.

    :raises RequestError: if the length of the body is not certain
    """
    codings = environ.get("HTTP_TRANSFER_ENCODING", "").strip(_BLANKS)
    if not codings:
        return False
    if codings.lower() != "chunked":
        raise RequestError("The Transfer-Encoding must be chunked.")
    if not environ.get("CONTENT_LENGTH"):
        return True
    if servers.uwsgi is None:
        raise RequestError("A Transfer-Encoding must have no Content-Length beside it.")
    return False


def content_length(environ: Environ) -> int | None:
    """Return the length of the body in bytes, ``None`` if it is unknown.

    Without Content-Length there is no body (PEP 3333), unless the server declares that
    reading ends by itself, as it does with HTTP/2.

    :raises RequestError: if the length is not certain
    """
    if is_chunked(environ):
        return None
    length = (environ.get("CONTENT_LENGTH") or "").strip(_BLANKS)
    if not length:
        return None if environ.get("wsgi.input_terminated") else 0
    if not _LENGTH.fullmatch(length):
        raise RequestError("The Content-Length must be a number of bytes.")
    return int(length)


class Body:
    """Reads and counts the bytes of an uploaded image.

    :param environ: the request
    :param promised: the number of bytes in x-openstack-image-size, if it is sent
    :param limit: the most bytes that are allowed
    :param fast: whether ``fast_lane`` may be used
    :param moved: called whenever some bytes have come
    """

    def __init__(
        self,
        environ: Environ,
        promised: int | None,
        limit: int,
        *,
        fast: bool = True,
        moved: Callable[[], None] | None = None,
    ) -> None:
        self.received = 0
        self._environ = environ
        self._promised = promised
        self._limit = limit
        self._fast = fast
        self._moved = moved
        self._pace = wsgi.pace_of(environ)
        self._length = content_length(environ)

    @property
    def expected(self) -> int | None:
        """The size in bytes, ``None`` if it is unknown before the end."""
        return self._promised if self._length is None else self._length

    def check_expected(self) -> None:
        """Check the announced sizes before the first byte is read.

        :raises SizeMismatch: if the headers contradict each other
        :raises TooLarge: if the announced size exceeds the limit
        """
        if (
            None not in (self._length, self._promised)
            and self._length != self._promised
        ):
            raise SizeMismatch(
                f"Size mismatch: expected {self._promised} bytes, "
                f"got {self._length} bytes"
            )
        if self.expected is not None and self.expected > self._limit:
            raise TooLarge(_TOO_LARGE)

    def read_into(self, buffer: memoryview) -> int:
        """Fill a buffer; return how many bytes are in it, fewer only at the end.

        :raises ClientGone: if the body breaks off
        :raises SizeMismatch: if it is shorter or longer than announced
        :raises TooLarge: if it exceeds the limit
        """
        filled = 0
        while filled < len(buffer):
            count = self._receive(buffer[filled:][: self._pace.step])
            if not count:
                break
            filled += count
            self.received += count
            if self._moved is not None:
                self._moved()
            self._pace.wait_after(count)
        self._check_most()
        if filled < len(buffer):
            self._check_end()
        return filled

    def _receive(self, buffer: memoryview) -> int:
        try:
            return self._source.read_into(buffer)
        except servers.broken_body() as error:
            if self._length is None and servers.chunk_limit():
                raise ClientGone(
                    "The request body could not be read: it broke off, or a chunk was "
                    "larger than the server takes (uWSGI's chunked-input-limit)."
                ) from error
            raise ClientGone("The request body could not be read.") from error

    @functools.cached_property
    def _source(self) -> fast_lane.Way | _Pieces:
        """The source of the bytes, chosen at the first read."""
        lane = fast_lane.receiver(self._environ) if self._fast else None
        return lane or _Pieces(self._environ, self._length)

    def _check_most(self) -> None:
        if self.received > self._limit:
            raise TooLarge(_TOO_LARGE)
        if self._promised is not None and self.received > self._promised:
            raise SizeMismatch(
                f"Size exceeds: expected {self._promised} bytes, "
                f"got {self.received} bytes"
            )

    def _check_end(self) -> None:
        if self._length is not None and self.received < self._length:
            raise ClientGone(
                f"Size mismatch: expected {self._length} bytes, "
                f"got {self.received} bytes"
            )
        if self._promised is not None and self.received < self._promised:
            raise SizeMismatch(
                f"Size mismatch: expected {self._promised} bytes, "
                f"got {self.received} bytes"
            )


class _Pieces:
    """Fills buffers from the pieces that the server hands out."""

    def __init__(self, environ: Environ, length: int | None) -> None:
        self._read = reader(environ)
        self._left = length
        self._rest = memoryview(b"")

    def read_into(self, buffer: memoryview) -> int:
        if not self._rest:
            self._rest = memoryview(self._next(len(buffer)))
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def _next(self, wanted: int) -> bytes:
        if self._left is None:
            return self._read(min(wanted, _CHUNKED_STEP))
        data = self._read(min(wanted, self._left)) if self._left else b""
        self._left -= len(data)
        return data


def buffered(environ: Environ) -> tuple[Environ, bytes]:
    """Read the whole body of a request that carries a document.

    Wait only a short time for a client that is not authenticated.

    :return: the request with its body unread again, and the body
    :raises TooLarge: if it is longer than any document
    :raises ClientGone: if the body breaks off
    """
    body = Body(environ, None, _MOST_OF_A_DOCUMENT, fast=False)
    body.check_expected()
    pieces: list[bytes] = []
    step = bytearray(64 * 1024)
    with contextlib.ExitStack() as stack:
        if not wsgi.has_identity(environ):
            stack.enter_context(waiting.impatiently(environ["wsgi.input"]))
        while filled := body.read_into(memoryview(step)):
            pieces.append(bytes(step[:filled]))
    text = b"".join(pieces)
    return replaced(environ, text), text


def replaced(environ: Environ, body: bytes) -> Environ:
    """Return a request with another body, of known length."""
    found = dict(environ, CONTENT_LENGTH=str(len(body)))
    found["wsgi.input"] = io.BytesIO(body)
    found.pop("HTTP_TRANSFER_ENCODING", None)
    return found


def reader(environ: Environ) -> Callable[[int], bytes]:
    """Return a function that reads some bytes of the body, none at its end.

    It may return more bytes than requested.
    """
    if servers.uwsgi is not None and is_chunked(environ):
        return lambda wanted: servers.uwsgi.chunked_read()
    return environ["wsgi.input"].read  # type: ignore[no-any-return]

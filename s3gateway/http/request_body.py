# SPDX-License-Identifier: Apache-2.0
"""The request body, whichever way the WSGI server hands it over.

Under uWSGI a chunked body comes from ``uwsgi.chunked_read()`` and reads as
empty from ``wsgi.input``; elsewhere ``wsgi.input`` has both kinds.
"""

from __future__ import annotations

import functools
import io
import time
from collections.abc import Callable
from collections.abc import Iterator

from gunicorn.http.errors import ParseException

from s3gateway.errors import ClientGone
from s3gateway.errors import SizeMismatch
from s3gateway.errors import TooLarge
from s3gateway.http import fast_lane
from s3gateway.http.servers import uwsgi
from s3gateway.http.wsgi import Environ

# What the servers raise when the client breaks off or sends broken chunks:
# uWSGI OSError, gunicorn ParseException too, eventlet ValueError.
_BROKEN = (OSError, EOFError, ValueError, ParseException)

_TOO_LARGE = "The incoming image is too large: The provided image is too large."

_MOST_OF_A_DOCUMENT = 4 * 1024**2

_STEP = 1024**2
_CHUNKED_STEP = 256 * 1024  # gunicorn collects chunks in ever larger copies
_DRAIN_TIME = 30.0  # seconds


def is_chunked(environ: Environ) -> bool:
    """Whether the body comes in chunks, so that its length is unknown."""
    return "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower()


def content_length(environ: Environ) -> int | None:
    """Return the length of the body in bytes, ``None`` if it is chunked.

    :raises ValueError: if the header is not a number
    """
    if is_chunked(environ):
        return None
    return int(environ.get("CONTENT_LENGTH") or 0)


class Body:
    """An image's bytes on their way in, counted as they come.

    :param environ: the request
    :param promised: how many bytes the client said there would be, if it did
    :param limit: the most bytes that are allowed
    :param fast: whether the server's own buffers may be avoided
    """

    def __init__(
        self,
        environ: Environ,
        promised: int | None,
        limit: int,
        *,
        fast: bool = True,
    ) -> None:
        self.received = 0
        self._environ = environ
        self._promised = promised
        self._limit = limit
        self._fast = fast
        self._length = content_length(environ)

    @property
    def expected(self) -> int | None:
        """The size in bytes if it is known before the end."""
        return self._promised if self._length is None else self._length

    def check_expected(self) -> None:
        """Check what can be known before the first byte is read.

        :raises SizeMismatch: if the header fields contradict each other
        :raises TooLarge: if the body is going to be longer than the limit
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
        """Fill a buffer and return how much is in it; less is the end.

        :raises ClientGone: if the body breaks off
        :raises SizeMismatch: if it is shorter or longer than promised
        :raises TooLarge: if it is longer than the limit
        """
        filled = 0
        while filled < len(buffer):
            count = self._receive(buffer[filled:])
            if not count:
                break
            filled += count
            self.received += count
        self._check_most()
        if filled < len(buffer):
            self._check_end()
        return filled

    def _receive(self, buffer: memoryview) -> int:
        try:
            return self._source.read_into(buffer)
        except _BROKEN as error:
            raise ClientGone("The request body could not be read.") from error

    @functools.cached_property
    def _source(self) -> fast_lane.Way | _Pieces:
        """Where the bytes come from, decided when the first ones are wanted."""
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
        self._read = _reader(environ)
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


def pieces(environ: Environ, size: int = _STEP) -> Iterator[bytes]:
    """Yield the body as it comes, in pieces of about ``size`` bytes.

    :raises ClientGone: if it breaks off
    """
    length = content_length(environ)
    read = _reader(environ)
    received = 0
    while length is None or received < length:
        wanted = size if length is None else min(size, length - received)
        try:
            data = read(wanted)
        except _BROKEN as error:
            raise ClientGone("The request body could not be read.") from error
        if not data:
            break
        received += len(data)
        yield data
    if length is not None and received < length:
        raise ClientGone(
            f"Size mismatch: expected {length} bytes, got {received} bytes"
        )


def drain(environ: Environ, limit: int) -> None:
    """Read and drop what is left of a refused body, so that the answer is read.

    Stops after ``limit`` bytes or 30 seconds; a client that is gone is fine.
    """
    read = _reader(environ)
    deadline = time.monotonic() + _DRAIN_TIME
    try:
        while limit > 0 and time.monotonic() < deadline:
            data = read(min(limit, _STEP))
            if not data:
                return
            limit -= len(data)
    except _BROKEN:
        return


def buffered(environ: Environ) -> tuple[Environ, bytes]:
    """Read the body of a request that carries a document, not image data.

    :return: the request with its body still to be read, and the body
    :raises TooLarge: if it is longer than any document is
    :raises ClientGone: if the body breaks off
    """
    body = Body(environ, None, _MOST_OF_A_DOCUMENT)
    body.check_expected()
    pieces: list[bytes] = []
    step = bytearray(64 * 1024)
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


def _reader(environ: Environ) -> Callable[[int], bytes]:
    """Return a function that reads some bytes, none at the end of the body.

    It may return more than it was asked for.
    """
    if uwsgi is not None and is_chunked(environ):
        return lambda wanted: uwsgi.chunked_read()
    return environ["wsgi.input"].read  # type: ignore[no-any-return]

# SPDX-License-Identifier: Apache-2.0
"""Receives a request body from gunicorn's socket, directly into the wanted memory.

gunicorn copies a body in small pieces; in older releases the copies cost more than the
digests.  This module handles bodies of known length and plain chunked bodies.  All
others are read through ``wsgi.input``, and so are all bodies if ``fast_lanes`` is off.
"""

from __future__ import annotations

import dataclasses
import inspect
import io
import re
import socket
from typing import TYPE_CHECKING
from typing import Any

from s3gateway.http import servers
from s3gateway.http.wsgi import Environ

if TYPE_CHECKING:
    from gunicorn.http.body import Body
    from gunicorn.http.body import ChunkedReader
    from gunicorn.http.body import LengthReader
    from gunicorn.http.unreader import SocketUnreader

# The plain beginning of a chunk (RFC 9112, 7.1).
_SIZE = re.compile(rb"([1-9A-Fa-f][0-9A-Fa-f]{0,14})\r\n")
_LONGEST_SIZE = 17  # bytes
_END = b"\r\n"


@dataclasses.dataclass(frozen=True)
class _Kind:
    """A class of gunicorn's, and the attributes that this module uses.

    gunicorn promises neither.  If one is missing, ``wsgi.input`` is used.
    """

    module: str
    name: str
    used: tuple[str, ...]

    def has(self, part: Any) -> bool:
        """Whether an object is of exactly this class, not of a subclass."""
        known = servers.loaded(self.module, self.name)
        return type(part) is known and all(hasattr(part, name) for name in self.used)


_BODY = _Kind("gunicorn.http.body", "Body", ("reader", "buf"))
_LENGTH_READER = _Kind("gunicorn.http.body", "LengthReader", ("unreader", "length"))
_CHUNKED_READER = _Kind("gunicorn.http.body", "ChunkedReader", ("req", "parser"))
_UNREADER = _Kind("gunicorn.http.unreader", "SocketUnreader", ("sock", "buf", "unread"))


class Receiver:
    """Receives a body of known length from gunicorn's socket.

    It counts every byte in gunicorn's own reader too, so that gunicorn finds the next
    request on a kept connection.
    """

    def __init__(self, body: Body) -> None:
        self._reader: LengthReader = body.reader
        self._socket: socket.socket = body.reader.unreader.sock
        self._ahead = memoryview(_taken_ahead(body))

    def read_into(self, buffer: memoryview) -> int:
        """Fill some of a buffer and return how much, nothing at the end of the body.

        :raises OSError: if the client breaks off
        """
        if self._ahead:
            count = min(len(buffer), len(self._ahead))
            buffer[:count] = self._ahead[:count]
            self._ahead = self._ahead[count:]
            return count
        wanted = min(len(buffer), self._reader.length)
        if not wanted:
            return 0
        count = self._socket.recv_into(buffer[:wanted])
        self._reader.length -= count
        return count


class ChunkReceiver:
    """Receives a body in chunks from gunicorn's socket.

    It reads plain chunks with data.  At anything else, such as the end of the body,
    gunicorn's own reader takes over and judges it.  The reader also takes over if
    another caller reads the body.  To make that possible, this class keeps the last
    byte of a chunk until the next chunk has begun.

    :ivar replaced: gunicorn's own reader
    """

    def __init__(self, body: Body) -> None:
        self._body = body
        self.replaced: ChunkedReader = body.reader
        self._unreader: SocketUnreader = body.reader.req.unreader
        self._socket: socket.socket = self._unreader.sock
        self._ahead: bytes = self._unreader.buf.getvalue()
        self._unreader.buf = io.BytesIO()
        self._next = memoryview(bytearray(4096))
        self._left = 0  # of the chunk, with the kept byte; 0 before the first
        body.reader = self

    def read_into(self, buffer: memoryview) -> int:
        """Fill some of a buffer and return how much, nothing at the end of the body.

        :raises OSError: if the client breaks off
        :raises ParseException: if gunicorn finds that it is no body
        """
        if self._left <= 1 and not (self._body.reader is self and self._begin()):
            data = self._body.read(len(buffer))
            buffer[: len(data)] = data
            return len(data)
        wanted = buffer[: self._left - 1]
        count = self._take(wanted) if self._ahead else self._receive(wanted)
        self._left -= count
        return count

    def read(self, size: int) -> bytes:
        """Hand over to gunicorn's own reader; its ``Body`` calls this."""
        if self._body.reader is self:
            self._body.reader = self.replaced
            begun = b"%x\r\n" % self._left if self._left else b""
            self._unreader.unread(begun + self._ahead)
            self._left = 0
        data: bytes = self.replaced.read(size)
        return data

    def _begin(self) -> bool:
        """Move to the next chunk; return whether there is a plain one."""
        kept, end = (1, _END) if self._left else (0, b"")
        start = kept + len(end)
        while len(self._ahead) < start + _LONGEST_SIZE and (
            _END not in self._ahead[start:]
        ):
            if not (data := self._socket.recv(len(self._next))):
                return False
            self._ahead += data
        found = _SIZE.match(self._ahead, start)
        if found is None or self._ahead[kept:start] != end:
            return False
        self._left = kept + int(found[1], 16)
        self._ahead = self._ahead[:kept] + self._ahead[found.end() :]
        return self._left > 1 or self._begin()

    def _take(self, buffer: memoryview) -> int:
        count = min(len(buffer), len(self._ahead))
        buffer[:count] = self._ahead[:count]
        self._ahead = self._ahead[count:]
        return count

    def _receive(self, buffer: memoryview) -> int:
        """Receive data; with the end of a chunk, also the start of the next one."""
        ends = len(buffer) == self._left - 1
        count = self._socket.recvmsg_into([buffer, self._next] if ends else [buffer])[0]
        if not count:
            raise EOFError
        self._ahead = bytes(self._next[: max(0, count - len(buffer))])
        return min(count, len(buffer))


Way = Receiver | ChunkReceiver


def receiver(environ: Environ) -> Way | None:
    """Return a receiver of the body, ``None`` if only the server can read it."""
    body: Any = environ["wsgi.input"]
    if not _BODY.has(body):
        return None
    if _LENGTH_READER.has(body.reader) and _UNREADER.has(body.reader.unreader):
        return Receiver(body)
    if _CHUNKED_READER.has(body.reader) and _is_unread(body):
        return ChunkReceiver(body)
    return None


def unreader_of(body: Any) -> Any:
    """Return gunicorn's object that holds the socket of a body; ``None`` if unknown."""
    if not _BODY.has(body):
        return None
    reader = body.reader
    if isinstance(reader, ChunkReceiver):
        reader = reader.replaced
    holder = reader.req if _CHUNKED_READER.has(reader) else reader
    found = getattr(holder, "unreader", None)
    return found if _UNREADER.has(found) else None


def _is_unread(body: Any) -> bool:
    """Whether a chunked body is unread and comes from a plain socket.

    A TLS socket cannot receive into two buffers at once.
    """
    unreader: Any = getattr(body.reader.req, "unreader", None)
    return (
        _UNREADER.has(unreader)
        and type(unreader.sock) is socket.socket
        and inspect.isgenerator(body.reader.parser)
        and inspect.getgeneratorstate(body.reader.parser) == inspect.GEN_CREATED
    )


def _taken_ahead(body: Body) -> bytes:
    """Take the body's bytes that the server has read; leave those behind the body."""
    reader, unreader = body.reader, body.reader.unreader
    ahead: bytes = body.buf.getvalue()  # the reader has counted these
    held: bytes = unreader.buf.getvalue()
    body.buf, unreader.buf = io.BytesIO(), io.BytesIO()
    unreader.buf.write(held[reader.length :])
    held = held[: reader.length]
    reader.length -= len(held)
    return ahead + held

# SPDX-License-Identifier: Apache-2.0
"""A fast lane: a body goes past what the WSGI server would do to it.

gunicorn hands out a body in small copies, older releases in such small ones that they
cost more than its digests.  Here it is received into the memory that it is wanted in,
whether its length is known or it comes in chunks.
What the lane does not know for certain it leaves to the portable way; the option
``fast_lanes`` leaves everything to it.
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
    """A class of gunicorn's, and what of it is used here.

    gunicorn promises neither; where something is missing the portable way is taken.
    """

    module: str
    name: str
    used: tuple[str, ...]

    def has(self, part: Any) -> bool:
        """Whether an object is of the class, not of one that is derived from it."""
        known = servers.loaded(self.module, self.name)
        return type(part) is known and all(hasattr(part, name) for name in self.used)


_BODY = _Kind("gunicorn.http.body", "Body", ("reader", "buf"))
_LENGTH_READER = _Kind("gunicorn.http.body", "LengthReader", ("unreader", "length"))
_CHUNKED_READER = _Kind("gunicorn.http.body", "ChunkedReader", ("req", "parser"))
_UNREADER = _Kind("gunicorn.http.unreader", "SocketUnreader", ("sock", "buf", "unread"))


class Receiver:
    """Receives a body of known length from gunicorn's socket.

    gunicorn's own reader is told of every byte, so that it finds the next request of
    a connection that is kept.
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

    It knows plain chunks with data in them, one after the other.  Where there is
    anything else, as at the end of the body, gunicorn's own reader goes on, and
    judges it; it also goes on if somebody else reads the body.  So that it can, the
    last byte of a chunk is kept until the next chunk has begun.

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
        self._left = 0  # of the chunk, with the byte that is kept; 0 before the first
        body.reader = self

    def read_into(self, buffer: memoryview) -> int:
        """Fill some of a buffer and return how much, nothing at the end of the body.

        :raises OSError: if the client breaks off
        :raises ParseException: if gunicorn does not take it for a body
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
        """Have gunicorn's own reader go on; its ``Body`` calls this."""
        if self._body.reader is self:
            self._body.reader = self.replaced
            begun = b"%x\r\n" % self._left if self._left else b""
            self._unreader.unread(begun + self._ahead)
            self._left = 0
        data: bytes = self.replaced.read(size)
        return data

    def _begin(self) -> bool:
        """Go on to the next chunk; whether there is a plain one."""
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
        """Receive the data, and with its end the beginning of the next chunk."""
        ends = len(buffer) == self._left - 1
        count = self._socket.recvmsg_into([buffer, self._next] if ends else [buffer])[0]
        if not count:
            raise EOFError
        self._ahead = bytes(self._next[: max(0, count - len(buffer))])
        return min(count, len(buffer))


Way = Receiver | ChunkReceiver


def receiver(environ: Environ) -> Way | None:
    """Return what receives the body, ``None`` if only the server can read it."""
    body: Any = environ["wsgi.input"]
    if not _BODY.has(body):
        return None
    if _LENGTH_READER.has(body.reader) and _UNREADER.has(body.reader.unreader):
        return Receiver(body)
    if _CHUNKED_READER.has(body.reader) and _is_unread(body):
        return ChunkReceiver(body)
    return None


def unreader_of(body: Any) -> Any:
    """Return what has gunicorn's socket under a body, ``None`` if it is unknown."""
    if not _BODY.has(body):
        return None
    reader = body.reader
    if isinstance(reader, ChunkReceiver):
        reader = reader.replaced
    holder = reader.req if _CHUNKED_READER.has(reader) else reader
    found = getattr(holder, "unreader", None)
    return found if _UNREADER.has(found) else None


def _is_unread(body: Any) -> bool:
    """Whether nobody has read of a body in chunks, and it comes from a plain socket.

    One with TLS cannot receive into two buffers at once.
    """
    unreader: Any = getattr(body.reader.req, "unreader", None)
    return (
        _UNREADER.has(unreader)
        and type(unreader.sock) is socket.socket
        and inspect.isgenerator(body.reader.parser)
        and inspect.getgeneratorstate(body.reader.parser) == inspect.GEN_CREATED
    )


def _taken_ahead(body: Body) -> bytes:
    """Take what the server has of the body already, and leave what follows it."""
    reader, unreader = body.reader, body.reader.unreader
    ahead: bytes = body.buf.getvalue()  # these the reader has counted
    held: bytes = unreader.buf.getvalue()
    body.buf, unreader.buf = io.BytesIO(), io.BytesIO()
    unreader.buf.write(held[reader.length :])
    held = held[: reader.length]
    reader.length -= len(held)
    return ahead + held

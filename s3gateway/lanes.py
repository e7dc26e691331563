# SPDX-License-Identifier: Apache-2.0
"""A fast lane: a body goes past what the WSGI server would do to it.

gunicorn hands out a body in small copies, older releases in such small ones that they
cost more than its digests.  Here it is received into the memory that it is wanted in.
What the lane does not know for certain it leaves to the portable way; the option
``fast_lanes`` leaves everything to it.
"""

from __future__ import annotations

import io
import socket
from typing import Any

from gunicorn.http.body import Body
from gunicorn.http.body import LengthReader
from gunicorn.http.unreader import SocketUnreader

from s3gateway.wsgi import Environ


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


def receiver(environ: Environ) -> Receiver | None:
    """Return what receives the body, ``None`` if only the server can read it."""
    body: Any = environ["wsgi.input"]
    known = (
        type(body) is Body
        and type(body.reader) is LengthReader
        and type(body.reader.unreader) is SocketUnreader
    )
    return Receiver(body) if known else None


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

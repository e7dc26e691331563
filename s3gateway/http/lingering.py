# SPDX-License-Identifier: Apache-2.0
"""Reads and discards the rest of a refused request body (RFC 9112, 9.6).

If a server closes a connection while the client still sends, the client may see a reset
and not the response.  So the gateway sends the response first, then reads and discards
the rest while the client sends it.  It does not wait for a client that announces a body
and sends none, nor for a client that is not authenticated.
"""

from __future__ import annotations

import array
import contextlib
import errno
import fcntl
import functools
import select
import socket
import termios
import time
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

from s3gateway.errors import RequestError
from s3gateway.http import fast_lane
from s3gateway.http import request_body
from s3gateway.http import servers
from s3gateway.http import waiting
from s3gateway.http import wsgi
from s3gateway.http.waiting import Patience
from s3gateway.http.wsgi import Answer
from s3gateway.http.wsgi import Environ

_STEP = 64 * 1024  # bytes

#: uWSGI does not tell where a body ends, so the gateway waits this long behind each.
_UWSGIS_PATIENCE = 0.5  # seconds
#: A waiting green thread blocks no other.
EVENTLETS_PATIENCE = 2.0  # seconds
_EVENTLETS_LONGEST = 30.0  # seconds


def after(
    environ: Environ, answer: Answer, limit: int, *, known: bool | None = None
) -> Answer:
    """Return a refusal that discards the rest of the request body when it is closed.

    :param limit: most bytes to discard
    :param known: whether the client is authenticated, if Keystone does not say so
    """
    if answer.code < 400 or not _has_body(environ):
        return answer
    if not (wsgi.has_identity(environ) if known is None else known):
        limit = 0
    return Answer(answer.status, answer.headers, _Last(answer, environ, limit))


def _has_body(environ: Environ) -> bool:
    try:
        return request_body.content_length(environ) != 0
    except RequestError:
        return True


class _Last:
    """A response body; closing it reads the rest of the request body."""

    def __init__(self, answer: Answer, environ: Environ, limit: int) -> None:
        self._answer = answer
        self._environ = environ
        self._limit = limit
        self._read = False

    def __iter__(self) -> Iterator[bytes]:
        if _must_go_last(self._environ):
            self._read_rest()
        return iter(self._answer.body)

    def close(self) -> None:
        try:
            self._answer.close()
        finally:
            self._read_rest()

    def _read_rest(self) -> None:
        if not self._read:
            self._read = True
            _read_rest(self._environ, self._limit)


def _must_go_last(environ: Environ) -> bool:
    """Whether the response must wait for the rest of the body.

    gunicorn before 27 loses a request that arrives together with the last chunks of a
    body.  The client does not send one before it has the response.
    """
    chunked = "HTTP_TRANSFER_ENCODING" in environ
    old = not hasattr(environ["wsgi.input"], "failed")
    return "gunicorn.socket" in environ and chunked and old


def _read_rest(environ: Environ, limit: int) -> None:
    """Read the rest of a request body under a server whose waiting is known.

    Other servers handle their connections themselves.
    """
    if "gunicorn.socket" in environ:
        _of_gunicorn(environ, limit)
    elif servers.uwsgi is not None:
        with contextlib.suppress(RequestError):
            _of_uwsgi(environ, limit)
    elif "eventlet.input" in environ:
        _of_eventlet(environ["eventlet.input"], limit)


def _is_emptied(read: Callable[[int], bytes], limit: int) -> bool:
    """Read a body; return whether its end was reached."""
    with contextlib.suppress(*servers.broken_body()):
        while data := read(_STEP):
            limit -= len(data)
            if limit < 0:
                return False
        return True
    return False


def _of_gunicorn(environ: Environ, limit: int) -> None:
    body = environ["wsgi.input"]
    patience = Patience() if limit else Patience(0)
    with waiting.impatiently(body, patience) as possible:
        if not possible or _is_emptied(_reader(environ), limit):
            return
    _give_up(body, environ["gunicorn.socket"])


def _reader(environ: Environ) -> Callable[[int], bytes]:
    """Return a function that reads a body, but no byte behind a known length."""
    lane = fast_lane.receiver(environ)
    if lane is None:
        return environ["wsgi.input"].read  # type: ignore[no-any-return]
    buffer = bytearray(_STEP)
    return lambda size: bytes(buffer[: lane.read_into(memoryview(buffer)[:size])])


def _give_up(body: Any, connection: socket.socket) -> None:
    """Make gunicorn close a connection without waiting for the client.

    Otherwise it waits in the worker thread or, on close, in the accepting thread.
    """
    body.reader = _Closed()
    with contextlib.suppress(OSError):
        # Not the method of a TLS socket: that would end TLS as well.
        socket.socket.shutdown(connection, socket.SHUT_RD)


class _Closed:
    """A reader that reports the client as gone."""

    def read(self, size: int) -> bytes:
        raise ConnectionResetError(errno.ECONNRESET, "The body is read no further")


def _of_uwsgi(environ: Environ, limit: int) -> None:
    """Read what arrives; uWSGI then closes the connection and does not wait."""
    reader = _UwsgiReader(environ["wsgi.input"])
    read = reader.chunk if request_body.is_chunked(environ) else reader.some
    if limit and reader.has_more(waiting.MOMENT):
        patience = Patience(_UWSGIS_PATIENCE)
        _is_emptied(lambda size: patience.receive(functools.partial(read, size)), limit)


class _UwsgiReader:
    """Reads a body from uWSGI, but only bytes that have arrived."""

    def __init__(self, body: Any) -> None:
        self._body = body
        self._fd = servers.uwsgi.connection_fd()
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLIN)

    def has_more(self, timeout: float) -> bool:
        """Whether any bytes arrive, of this request or of the next."""
        return bool(timeout > 0 and self._poll.poll(timeout * 1000))

    def some(self, size: int, timeout: float) -> bytes:
        """Return some of a body of known length, nothing at its end.

        :raises TimeoutError: if nothing came
        """
        if not self.has_more(timeout):
            raise TimeoutError
        there = array.array("i", [0])
        fcntl.ioctl(self._fd, termios.FIONREAD, there)
        if not there[0]:  # the client is gone; uWSGI takes no length for any length
            return b""
        return self._body.read(min(size, there[0]))  # type: ignore[no-any-return]

    def chunk(self, size: int, timeout: float) -> bytes:
        """Return a chunk, nothing at the end of the body.

        :raises TimeoutError: if not all of it came
        """
        deadline = time.monotonic() + timeout
        while (data := servers.uwsgi.chunked_read_nb()) is None:
            if not self.has_more(deadline - time.monotonic()):
                raise TimeoutError
        return data  # type: ignore[no-any-return]


def _of_eventlet(body: Any, limit: int) -> None:
    if not limit:
        return
    connection = body.get_socket()
    before = connection.gettimeout()
    deadline = time.monotonic() + _EVENTLETS_LONGEST
    connection.settimeout(EVENTLETS_PATIENCE)

    def read(size: int) -> bytes:
        if time.monotonic() > deadline:
            raise TimeoutError
        data: bytes = body.read(size)
        return data

    _is_emptied(read, limit)
    connection.settimeout(before)

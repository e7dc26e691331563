# SPDX-License-Identifier: Apache-2.0
"""Limits how long a thread waits for a client to send its request body.

A thread that waits for a client serves no other, and WSGI has no time-out for bodies.
This module puts a stand-in for the client's socket under gunicorn's reader.
"""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any
from typing import Protocol
from typing import TypeVar

from s3gateway.http import fast_lane

MOMENT = 0.02  # seconds
PATIENCE = 2.0  # seconds
_LONGEST = 30.0  # seconds
_SLOWEST = 128 * 1024  # bytes a second
#: As little may come in the long run from a client whose request is carried out.
_STEADY = 8 * 1024  # bytes a second

#: After how many seconds of silence the kernel asks whether a client is still there,
#: after how many it asks again, and how many questions may stay without an answer.
_PROBES = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 8}

#: At most so many threads wait longer than a moment: silent clients cannot block all
#: threads of a process.
_patient = threading.BoundedSemaphore(2)

_Received = TypeVar("_Received", bytes, int)
Receive = Callable[[float], _Received]


class Patience:
    """How long a client may be silent: a moment, or longer while few others are silent.

    Waiting uses the time up, and received bytes renew it.  A client that sends very
    little at a time counts as silent.

    :param seconds: the time, ``PATIENCE`` by default; with 0 nothing is received
    """

    def __init__(self, seconds: float | None = None) -> None:
        self._most = self._left = PATIENCE if seconds is None else seconds
        self._deadline = time.monotonic() + _LONGEST

    def receive(self, receive: Receive[_Received]) -> _Received:
        """Call a function that receives bytes.

        :param receive: takes a time-out in seconds
        :raises TimeoutError: if no bytes came
        """
        began = time.monotonic()
        if self._left <= 0 or began > self._deadline:
            raise TimeoutError
        try:
            received = self._received(receive)
        finally:
            self._left -= time.monotonic() - began
        count = received if isinstance(received, int) else len(received)
        self._left = min(self._most, self._left + count / _SLOWEST)
        return received

    def _received(self, receive: Receive[_Received]) -> _Received:
        with contextlib.suppress(TimeoutError):
            return receive(min(MOMENT, self._left))
        if self._left <= MOMENT or not _patient.acquire(blocking=False):
            raise TimeoutError
        try:
            return receive(self._left - MOMENT)
        finally:
            _patient.release()


class _Guard(Protocol):
    """Calls a function that receives from a client, and limits how long it waits."""

    def __call__(self, receive: Callable[[], _Received]) -> _Received: ...


class _Timed:
    """Waits no longer for a client's socket than a ``Patience`` allows."""

    def __init__(self, sock: socket.socket, patience: Patience) -> None:
        self._socket = sock
        self._patience = patience

    def __call__(self, receive: Callable[[], _Received]) -> _Received:
        before = self._socket.gettimeout()

        def within(timeout: float) -> _Received:
            self._socket.settimeout(timeout)
            return receive()

        try:
            return self._patience.receive(within)
        finally:
            self._socket.settimeout(before)


class _Steady:
    """Waits for a client's socket, but not for ever.

    Waiting uses the time up, and received bytes renew it.

    :param seconds: how long the client may be silent
    """

    def __init__(self, sock: socket.socket, seconds: float) -> None:
        self._socket = sock
        self._most = self._left = seconds

    def __call__(self, receive: Callable[[], _Received]) -> _Received:
        if self._left <= 0:
            raise TimeoutError
        before, began = self._socket.gettimeout(), time.monotonic()
        self._socket.settimeout(self._left)
        try:
            received = receive()
        finally:
            self._socket.settimeout(before)
        count = received if isinstance(received, int) else len(received)
        waited = time.monotonic() - began
        self._left = min(self._most, self._left - waited + count / _STEADY)
        return received


class Answered(BrokenPipeError):
    """The response came before the whole request body was sent.

    After a broken pipe urllib3 reads the response.
    """


class _Watched:
    """Stops waiting for a client's socket when another socket has data.

    :param other: the other socket
    """

    def __init__(self, sock: socket.socket, other: socket.socket) -> None:
        self._socket = sock
        self._other = other.fileno()
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        self._poll.register(other, select.POLLIN)

    def __call__(self, receive: Callable[[], _Received]) -> _Received:
        """Receive from the client.

        :raises Answered: if the other socket has data first
        """
        if not self._is_decrypted() and self._other in dict(self._poll.poll()):
            raise Answered
        return receive()

    def _is_decrypted(self) -> bool:
        """Whether TLS has decrypted bytes, which a poll does not see."""
        return isinstance(self._socket, ssl.SSLSocket) and bool(self._socket.pending())


class _StandIn:
    """A stand-in for gunicorn's socket: a guard is around every receive.

    If a receive fails, it is unknown where the next request begins: it marks the body
    as lost.
    """

    def __init__(self, body: Any, unreader: Any, guard: _Guard) -> None:
        self._body = body
        self._unreader = unreader
        self._socket: socket.socket = unreader.sock
        self._guard = guard

    def recv(self, size: int) -> bytes:
        return self._receive(lambda: self._socket.recv(size))

    def recv_into(self, buffer: memoryview) -> int:
        return self._receive(lambda: self._socket.recv_into(buffer))

    def _receive(self, receive: Callable[[], _Received]) -> _Received:
        try:
            return self._guard(receive)
        except OSError:
            self._body.reader = _Lost(self._unreader)
            raise


class _Lost:
    """Reads a body whose only known end is that of the connection."""

    def __init__(self, unreader: Any) -> None:
        self.unreader = unreader

    def read(self, size: int) -> bytes:
        data: bytes = self.unreader.read()
        if not data:
            raise ConnectionResetError(errno.ECONNRESET, "The client is gone")
        return data


@contextlib.contextmanager
def _through(body: Any, guard: Callable[[socket.socket], _Guard]) -> Iterator[bool]:
    """Make gunicorn read a body through a stand-in for its socket.

    :return: a context that yields whether that is possible
    """
    unreader = fast_lane.unreader_of(body)
    if unreader is None:
        yield False
        return
    sock = unreader.sock
    unreader.sock = _StandIn(body, unreader, guard(sock))
    try:
        yield True
    finally:
        unreader.sock = sock


def impatiently(
    body: Any, patience: Patience | None = None
) -> contextlib.AbstractContextManager[bool]:
    """Return a context in which reads of a body raise TimeoutError in time."""
    lasting = patience or Patience()
    return _through(body, lambda sock: _Timed(sock, lasting))


def steadily(body: Any, seconds: float) -> contextlib.AbstractContextManager[bool]:
    """Return a context in which reads of a body fail once the client is silent so long.

    A host that has lost its power sends nothing, not even the end of a connection.
    """
    return _through(body, lambda sock: _Steady(sock, seconds))


def probe(connection: socket.socket | None) -> None:
    """Have the kernel end a connection whose client has gone without a word.

    A client may be silent for hours while it makes the image.  So there is no time-out:
    its kernel is asked whether it is still there (RFC 9293, 3.8.4).

    :param connection: gunicorn's; other servers have time-outs of their own
    """
    if connection is None:
        return
    with contextlib.suppress(OSError):  # it is no TCP connection, or has ended
        for name, value in _PROBES.items():
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def can_watch(other: socket.socket | None) -> bool:
    """Whether a thread can wait for the client and another socket at once.

    It cannot if the other socket has TLS: bytes there need not be data.
    """
    known = other is not None and not isinstance(other, ssl.SSLSocket)
    return known and hasattr(select, "poll")


def until(body: Any, other: socket.socket) -> contextlib.AbstractContextManager[bool]:
    """Return a context in which reads raise ``Answered`` once the other has data."""
    return _through(body, lambda sock: _Watched(sock, other))

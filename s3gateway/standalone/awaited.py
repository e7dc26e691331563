# SPDX-License-Identifier: Apache-2.0
"""Connections whose request does not come: closes those that were waited for too long.

gunicorn waits in a thread for the end of a TLS handshake and of a request's header,
as long as the client likes.  WSGI begins behind that.  So one byte on each of many
connections would take all threads.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any


class Awaited:
    """The connections on which threads wait for a request.

    :param threads: of the worker; a quarter of them may wait for long
    :param patience: how long a client may take while few are waited for, in seconds
    :param hurry: the same if many are
    """

    def __init__(self, threads: int, patience: float, hurry: float) -> None:
        self._few = max(1, threads // 4)
        self._patience = patience
        self._hurry = hurry
        self._since: dict[Any, float] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def waiting(self, connection: Any) -> Iterator[None]:
        """Wait for the request of a connection."""
        with self._lock:
            self._since[connection] = time.monotonic()
        try:
            yield
        finally:
            self.came(connection)

    def came(self, connection: Any) -> None:
        """Take note that a request is there."""
        with self._lock:
            self._since.pop(connection, None)

    def close_late(self) -> int:
        """Close the connections that have been waited for too long; return how many.

        The threads that wait for them see that the client is gone.
        """
        now, closed = time.monotonic(), 0
        with self._lock:
            for connection, since in self._since.items():  # the oldest first
                many = len(self._since) - closed > self._few
                if now - since < (self._hurry if many else self._patience):
                    break
                _close(connection.sock)
                closed += 1
        return closed


def _close(sock: socket.socket) -> None:
    """End a connection; its socket stays its thread's to close."""
    with contextlib.suppress(OSError):
        # Not the method of a TLS socket: that would also change the thread's state.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)

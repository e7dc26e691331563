# SPDX-License-Identifier: Apache-2.0
"""Connections that have had their last response: waits until the clients close them.

A socket that is closed with unread bytes sends a reset, and the client may lose the end
of the response.  So the server says that it sends no more, and reads on until the
client closes as well (RFC 9112, 9.6).  gunicorn from 26 on does that in its main
thread, one connection after the other, for up to two seconds each.  It accepts nothing
and serves no idle connection meanwhile.  Here its selector waits for all of them.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from collections.abc import Callable

#: Most bytes that are read and discarded, of each connection.
_LIMIT = 64 * 1024


class Closing:
    """The connections whose clients have yet to close them; of one thread.

    :param patience: how long a client may take, in seconds
    :param closed: called when a connection is closed
    """

    def __init__(self, patience: float, closed: Callable[[], None]) -> None:
        self._patience = patience
        self._closed = closed
        #: When each is closed at the latest, and what may still be read.  The first to
        #: come is the first to go.
        self._waiting: dict[socket.socket, tuple[float, int]] = {}

    def __len__(self) -> int:
        """How many are waited for."""
        return len(self._waiting)

    def begin(self, sock: socket.socket, poller: selectors.BaseSelector) -> None:
        """Send no more, and wait for the client.

        :param poller: calls what is registered with a socket
        """
        self._waiting[sock] = (time.monotonic() + self._patience, _LIMIT)
        try:
            sock.setblocking(False)
            sock.shutdown(socket.SHUT_WR)
            poller.register(
                sock, selectors.EVENT_READ, lambda _: self._read(sock, poller)
            )
        except (OSError, ValueError):  # the connection is broken, or closed already
            self._close(sock, poller)

    def close_late(self, poller: selectors.BaseSelector) -> None:
        """Close the connections that have been waited for long enough."""
        now = time.monotonic()
        for sock, (deadline, _) in list(self._waiting.items()):
            if now < deadline:
                break
            self._close(sock, poller)

    def _read(self, sock: socket.socket, poller: selectors.BaseSelector) -> None:
        deadline, left = self._waiting[sock]
        try:
            data = sock.recv(left)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        left -= len(data)
        if data and left:
            self._waiting[sock] = deadline, left
        else:
            self._close(sock, poller)

    def _close(self, sock: socket.socket, poller: selectors.BaseSelector) -> None:
        del self._waiting[sock]
        with contextlib.suppress(KeyError, ValueError):  # it is not registered
            poller.unregister(sock)
        with contextlib.suppress(OSError):
            sock.close()
        self._closed()

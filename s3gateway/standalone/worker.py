# SPDX-License-Identifier: Apache-2.0
"""gunicorn's worker: closes a connection whose request does not come.

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

from gunicorn.workers.gthread import ThreadWorker

#: How long a client may take, in seconds: while few others are waited for, and if many
#: are.  gunicorn itself waits five seconds for a connection's first byte.
PATIENCE, HURRY = 30.0, 6.0


class Awaited:
    """The connections on which threads wait for a request.

    :param threads: of the worker; a quarter of them may wait for long
    """

    def __init__(
        self, threads: int, patience: float = PATIENCE, hurry: float = HURRY
    ) -> None:
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


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's threads, with a time-out for all that comes before a body.

    gunicorn promises none of the methods here.  If a release does not call one, it
    waits as before.
    """

    patience, hurry = PATIENCE, HURRY

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._awaited = Awaited(self.cfg.threads, self.patience, self.hurry)

    def handle(self, conn: Any, *more: Any) -> Any:
        """Serve a request; called in a thread."""
        with self._awaited.waiting(conn):
            return super().handle(conn, *more)

    def handle_request(self, req: Any, conn: Any, *more: Any) -> Any:
        """Answer a request; called in the same thread."""
        self._awaited.came(conn)
        return super().handle_request(req, conn, *more)

    def handle_http2(self, conn: Any, *more: Any) -> Any:
        """Answer the requests of a connection; called in the same thread."""
        self._awaited.came(conn)
        return super().handle_http2(conn, *more)

    def murder_keepalived(self, *more: Any, **options: Any) -> Any:
        """Close connections that have no request; called once a second or oftener."""
        if closed := self._awaited.close_late():
            self.log.info("Closed %s connections whose request did not come", closed)
        return super().murder_keepalived(*more, **options)

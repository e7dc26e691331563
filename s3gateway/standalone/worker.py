# SPDX-License-Identifier: Apache-2.0
"""gunicorn's worker of the stand-alone gateway: waits for requests, closes, stops.

It closes connections whose request does not come (``awaited``).  It lets nobody wait
for a client that does not close its connection (``closing``).  And it refuses
connections as soon as it stops.  gunicorn's own keeps its listening sockets open until
its last request has ended, and accepts nothing meanwhile: a new client waits, and is
reset at the end.  A connection that is refused is another gateway's at once, as nothing
was sent yet.
"""

from __future__ import annotations

import contextlib
import selectors
import time
from concurrent import futures
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from s3gateway.standalone.awaited import Awaited
from s3gateway.standalone.closing import Closing


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's threads, with a time-out for what comes before a body and at the end.

    gunicorn promises none of the methods here.  If a release does not call one, it
    does what it did before.
    """

    #: As of ``Awaited``; gunicorn itself waits five seconds for the first byte.
    patience, hurry = 30.0, 6.0
    #: As of ``Closing``, and as gunicorn's.
    farewell = 2.0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._awaited = Awaited(self.cfg.threads, self.patience, self.hurry)
        self._closing = Closing(self.farewell, self._closed)

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

    def handle_h2c_upgrade(self, conn: Any, *more: Any) -> Any:
        """Answer the requests of a connection that changes to HTTP/2; likewise."""
        self._awaited.came(conn)
        return super().handle_h2c_upgrade(conn, *more)

    def finish_request(self, conn: Any, *more: Any) -> Any:
        """Keep a connection or end it; called in the main thread.

        Older releases of gunicorn give the future alone, and wait for nobody.
        """
        if more and _is_last(*more):
            return self._closing.begin(conn.sock, self.poller)
        return super().finish_request(conn, *more)

    def _closed(self) -> None:
        self.nr_conns -= 1

    def murder_keepalived(self, *more: Any, **options: Any) -> Any:
        """Close connections that have no request; called once a second or oftener."""
        if closed := self._awaited.close_late():
            self.log.info("Closed %s connections whose request did not come", closed)
        self._closing.close_late(self.poller)
        return super().murder_keepalived(*more, **options)

    def murder_pending(self) -> Any:
        """Close connections that have sent nothing; called as often.

        A worker that stops would wait for them as long as for its next request.
        """
        if not self.alive:
            latest = time.monotonic() + self.farewell
            for conn in self.pending_conns:
                conn.timeout = min(conn.timeout, latest)
        return super().murder_pending()

    def set_accept_enabled(self, enabled: bool) -> None:
        """Listen or pause; a worker that stops closes its listening sockets.

        Older releases of gunicorn do not call this: they close them at this time.
        """
        super().set_accept_enabled(enabled)
        if not self.alive:
            self._refuse()

    def _refuse(self) -> None:
        """Take the connections that have come, and let no more come."""
        # A socket is closed already if gunicorn calls this again: a ValueError.
        broken = contextlib.suppress(OSError, ValueError)
        with broken, selectors.DefaultSelector() as waiting:
            for listener in self.sockets:
                waiting.register(listener, selectors.EVENT_READ)
            # Those that have had their last response take no place of another.
            while self.nr_conns - len(self._closing) < self.worker_connections:
                found = waiting.select(0)
                if not found:
                    break
                for key, _ in found:
                    self.accept(key.fileobj)
        for listener in self.sockets:
            listener.close()


def _is_last(handled: futures.Future[Any]) -> bool:
    """Whether a connection has had its last response."""
    if handled.cancelled() or handled.exception() is not None:
        return False
    return handled.result() is False

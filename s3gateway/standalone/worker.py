# SPDX-License-Identifier: Apache-2.0
"""gunicorn's worker of the stand-alone gateway: refuses connections when it stops.

gunicorn's own keeps its listening sockets open until its last request has ended, and
accepts nothing meanwhile: whoever connects waits, and is reset at the end.  A
connection that is refused is another gateway's at once, as nothing was sent yet.
"""

from __future__ import annotations

import contextlib
import selectors

from gunicorn.workers.gthread import ThreadWorker


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """A worker with threads."""

    def set_accept_enabled(self, enabled: bool) -> None:
        """Listen or pause; a worker that stops closes its listening sockets.

        Older releases of gunicorn do not call this: they close them at this time.
        """
        super().set_accept_enabled(enabled)
        if not self.alive:
            self._refuse()

    def _refuse(self) -> None:
        """Take the connections that have come, and let no more come."""
        with contextlib.suppress(OSError), selectors.DefaultSelector() as waiting:
            for listener in self.sockets:
                waiting.register(listener, selectors.EVENT_READ)
            while self.nr_conns < self.worker_connections:
                found = waiting.select(0)
                if not found:
                    break
                for key, _ in found:
                    self.accept(key.fileobj)
        for listener in self.sockets:
            listener.close()

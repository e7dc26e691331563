# SPDX-License-Identifier: Apache-2.0
"""A filter that keeps something of each request, to see that it is noticed."""

from __future__ import annotations

import pathlib
import socket
import threading
from collections.abc import Callable
from typing import Any

_SIZE = 512 * 1024  # bytes


class Leaks:
    """Keeps memory, sockets, files or threads.

    :param kind: which of them
    """

    def __init__(self, app: Callable[..., Any], kind: str) -> None:
        self._app = app
        keep: dict[str, Callable[[], Any]] = {
            "memory": lambda: b"\1" * _SIZE,
            "sockets": socket.socketpair,
            "files": pathlib.Path("/dev/null").open,
            "threads": self._thread,
        }
        self._keep = keep[kind]
        self._kept: list[Any] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        self._kept.append(self._keep())
        return self._app(environ, start_response)

    def _thread(self) -> threading.Thread:
        thread = threading.Thread(target=threading.Event().wait, daemon=True)
        thread.start()
        return thread


def filter_factory(
    global_conf: dict[str, str], **local_conf: str
) -> Callable[[Callable[..., Any]], Leaks]:
    """Paste's factory."""
    return lambda app: Leaks(app, local_conf["kind"])

# SPDX-License-Identifier: Apache-2.0
"""Addresses that are silent as a server is that is cut off, or that hangs."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from collections.abc import Iterator

_HOST = "127.0.0.1"
_MORE_THAN_FIT = 4


@contextlib.contextmanager
def dropping_packets() -> Iterator[str]:
    """Yield a URL where no connection comes about: packets to it are dropped.

    The kernel drops what asks for a connection while the queue of a listener is full.
    """
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server((_HOST, 0), backlog=0))
        for _ in range(_MORE_THAN_FIT):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                waiting.connect(listener.getsockname())
        yield f"http://{_HOST}:{listener.getsockname()[1]}"


@contextlib.contextmanager
def never_answering() -> Iterator[str]:
    """Yield a URL where connections come about, and nobody answers."""
    with socket.create_server((_HOST, 0), backlog=512) as listener:
        yield f"http://{_HOST}:{listener.getsockname()[1]}"


Silence = Callable[[], contextlib.AbstractContextManager[str]]

ALL: dict[str, Silence] = {
    "drops packets": dropping_packets,
    "never answers": never_answering,
}

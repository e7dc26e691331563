# SPDX-License-Identifier: Apache-2.0
"""Features of uWSGI and gunicorn that WSGI does not define.

This module imports no server but uWSGI's built-in module: the running server is loaded,
and others need not be installed.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
from typing import Any

try:
    import uwsgi as _uwsgi  # exists inside uWSGI only
except ImportError:
    _uwsgi = None

#: uWSGI's own module, ``None`` under any other server.
uwsgi: Any = _uwsgi

#: Default of the option: uWSGI refuses chunks of this size and more.
CHUNK_OPTION = "chunked-input-limit"
UWSGI_CHUNK = 1024**2
#: Recommended value: glanceclient sends chunks of 1 MiB.
ENOUGH = 16 * 1024**2

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # struct linger: on, for no time

# Exceptions of gunicorn's, besides OSError and EOFError, for an unreadable body.
_GUNICORNS = (
    ("gunicorn.http.errors", "ParseException"),
    ("gunicorn.http2.errors", "HTTP2Error"),
)


def loaded(module: str, name: str) -> type[Any] | None:
    """Return a class of a loaded server, ``None`` if there is no such class."""
    found = getattr(sys.modules.get(module), name, None)
    return found if isinstance(found, type) else None


def broken_body() -> tuple[type[Exception], ...]:
    """Return what servers raise if a client breaks off or sends bad chunks.

    uWSGI raises OSError, eventlet ValueError, gunicorn both and its own.
    """
    found = (loaded(module, name) for module, name in _GUNICORNS)
    return (OSError, EOFError, ValueError, *(each for each in found if each))


def chunk_limit() -> int:
    """Return the chunk size from which the server refuses chunks; 0 for no limit."""
    return 0 if uwsgi is None else int(uwsgi.opt.get(CHUNK_OPTION, UWSGI_CHUNK))


def break_off() -> None:
    """Make the response end with a reset, so that the client sees an error.

    If a body raises, gunicorn and eventlet leave out the last chunk, which is an error
    for the client.  uWSGI closes the connection.  For a body without Content-Length
    that is a regular end, and behind Glance's cache filter no body has one.
    """
    if uwsgi is None:
        return
    with contextlib.suppress(OSError), uwsgi_connection() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)


def uwsgi_connection() -> socket.socket:
    """Return a duplicate of the request's socket; close it after use.

    Both share one blocking mode, which uWSGI sets: do not change it.
    """
    return socket.socket(fileno=os.dup(uwsgi.connection_fd()))

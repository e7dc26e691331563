# SPDX-License-Identifier: Apache-2.0
"""What WSGI leaves out and a server may offer nevertheless.

Nothing of a server is imported: the one that calls has loaded what it needs, and the
others need not be there.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
from typing import Any

try:
    import uwsgi as _uwsgi  # exists inside of uWSGI only
except ImportError:
    _uwsgi = None

#: uWSGI's own module, ``None`` under any other server.
uwsgi: Any = _uwsgi

#: uWSGI refuses chunks of so many bytes and more unless the option says otherwise.
CHUNK_OPTION = "chunked-input-limit"
UWSGI_CHUNK = 1024**2
#: What it should be: glanceclient's have 1 MiB.
ENOUGH = 16 * 1024**2

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # struct linger: on, for no time

# What gunicorn raises beside OSError and EOFError when a body cannot be read.
_GUNICORNS = (
    ("gunicorn.http.errors", "ParseException"),
    ("gunicorn.http2.errors", "HTTP2Error"),
)


def loaded(module: str, name: str) -> type[Any] | None:
    """Return a class of a server, ``None`` if it is not there or not a class."""
    found = getattr(sys.modules.get(module), name, None)
    return found if isinstance(found, type) else None


def broken_body() -> tuple[type[Exception], ...]:
    """Return what servers raise when a client breaks off or sends broken chunks.

    uWSGI raises OSError, eventlet ValueError, gunicorn these and its own.
    """
    found = (loaded(module, name) for module, name in _GUNICORNS)
    return (OSError, EOFError, ValueError, *(each for each in found if each))


def chunk_limit() -> int:
    """Return how many bytes a chunk must have for the server to refuse it; 0: any."""
    return 0 if uwsgi is None else int(uwsgi.opt.get(CHUNK_OPTION, UWSGI_CHUNK))


def break_off() -> None:
    """See to it that the answer being sent ends with a reset, not with an end.

    A body that fails is an exception to the server.  gunicorn and eventlet end a
    chunked body without its last chunk then, which is an error to the client.
    uWSGI closes the connection; that is the regular end of a body that came
    without a length, as all do behind Glance's cache filter.
    """
    if uwsgi is None:
        return
    with contextlib.suppress(OSError), uwsgi_connection() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)


def uwsgi_connection() -> socket.socket:
    """Return the socket of uWSGI's request; close it, which uWSGI's own survives.

    Whether it blocks is the same for both, and uWSGI's to say.
    """
    return socket.socket(fileno=os.dup(uwsgi.connection_fd()))

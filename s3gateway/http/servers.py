# SPDX-License-Identifier: Apache-2.0
"""What WSGI leaves out and a server may offer nevertheless."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from typing import Any

try:
    import uwsgi as _uwsgi  # exists inside of uWSGI only
except ImportError:
    _uwsgi = None

#: uWSGI's own module, ``None`` under any other server.
uwsgi: Any = _uwsgi

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # struct linger: on, for no time


def break_off() -> None:
    """See to it that the answer being sent ends with a reset, not with an end.

    A body that fails is an exception to the server.  gunicorn and eventlet end a
    chunked body without its last chunk then, which is an error to the client.
    uWSGI closes the connection; that is the regular end of a body that came
    without a length, as all do behind Glance's cache filter.
    """
    if uwsgi is None:
        return
    with contextlib.suppress(OSError):
        connection = socket.socket(fileno=os.dup(uwsgi.connection_fd()))
        with connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)

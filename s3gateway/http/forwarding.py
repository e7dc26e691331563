# SPDX-License-Identifier: Apache-2.0
"""A request body that is passed on to another server while it comes in.

It ends when the answer is there: a server may refuse a body that it has not read, and
the client may never send it.
"""

from __future__ import annotations

import itertools
import socket
from collections.abc import Callable
from collections.abc import Iterator

from s3gateway.errors import ClientGone
from s3gateway.http import request_body
from s3gateway.http import servers
from s3gateway.http import waiting
from s3gateway.http import wsgi
from s3gateway.http.wsgi import Environ

_STEP = 1024**2

#: Returns the socket that the answer comes from, once there is one.
Answers = Callable[[], socket.socket | None]


def forwarded(environ: Environ, answers: Answers) -> Iterator[bytes] | None:
    """Return the body of a request, ``None`` if there is none.

    :raises RequestError: if its length cannot be known for certain
    :raises ClientGone: if it breaks off
    """
    length = request_body.content_length(environ)
    if length == 0:
        return None
    body = _pieces(environ, length, answers)
    if length is not None or request_body.is_chunked(environ):
        return body
    first = next(body, b"")  # nothing but a read tells whether there is one
    return itertools.chain([first], body) if first else None


def _pieces(environ: Environ, length: int | None, answers: Answers) -> Iterator[bytes]:
    """Yield the body as it comes.

    :raises waiting.Answered: if the answer comes first
    """
    read = request_body.reader(environ)
    received = 0
    while length is None or received < length:
        wanted = _STEP if length is None else min(_STEP, length - received)
        try:
            data = _read(environ, read, wanted, answers(), begun=received > 0)
        except waiting.Answered:
            raise
        except servers.broken_body() as error:
            raise ClientGone("The request body could not be read.") from error
        if not data:
            break
        received += len(data)
        yield data
    if length is not None and received < length:
        raise ClientGone(
            f"Size mismatch: expected {length} bytes, got {received} bytes"
        )


def _read(
    environ: Environ,
    read: Callable[[int], bytes],
    wanted: int,
    other: socket.socket | None,
    *,
    begun: bool,
) -> bytes:
    """Read some of the body, and wait for it until the answer comes.

    Where that cannot be seen, the beginning of a body is not waited for long if nobody
    has vouched for the client.
    """
    body = environ["wsgi.input"]
    if other is not None and waiting.can_watch(other):
        with waiting.until(body, other):
            return read(wanted)
    if begun or wsgi.has_identity(environ):
        return read(wanted)
    with waiting.impatiently(body) as possible:
        return read(1 if possible else wanted)

# SPDX-License-Identifier: Apache-2.0
"""Streams a request body to another server.

The stream ends as soon as the response arrives.  A server may refuse a body without
reading it, and a client may then never send it.
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

#: Returns the socket of the response, ``None`` while there is no connection.
Answers = Callable[[], socket.socket | None]


def forwarded(environ: Environ, answers: Answers) -> Iterator[bytes] | None:
    """Return the body of a request, ``None`` if there is none.

    :raises RequestError: if the length is not certain
    :raises ClientGone: if the body breaks off
    """
    length = request_body.content_length(environ)
    if length == 0:
        return None
    body = _pieces(environ, length, answers)
    if length is not None or request_body.is_chunked(environ):
        return body
    first = next(body, b"")  # only a read shows whether there is a body
    return itertools.chain([first], body) if first else None


def _pieces(environ: Environ, length: int | None, answers: Answers) -> Iterator[bytes]:
    """Yield the body as it comes.

    :raises waiting.Answered: if the response comes first
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
    """Read some of the body; stop waiting when the response comes.

    If the response cannot be watched for, wait only a short time for the first bytes of
    a client that is not authenticated.
    """
    body = environ["wsgi.input"]
    if other is not None and waiting.can_watch(other):
        with waiting.until(body, other):
            return read(wanted)
    if begun or wsgi.has_identity(environ):
        return read(wanted)
    with waiting.impatiently(body) as possible:
        return read(1 if possible else wanted)

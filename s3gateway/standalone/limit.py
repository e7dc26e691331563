# SPDX-License-Identifier: Apache-2.0
"""The filter ``limit``: answers 503 to requests beyond a number at once in a process.

The image API and the face of a sealed gateway share the threads of a process.  A
request to the image API may wait for Glance, and Glance for the face.  If such requests
had all threads, none would be left for what they wait for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from typing import TYPE_CHECKING

import webob.exc

from s3gateway.errors import ConfigError
from s3gateway.http import lingering
from s3gateway.http import wsgi
from s3gateway.http.wsgi import Environ

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse
    from _typeshed.wsgi import WSGIApplication

#: Three of four threads in the shipped configuration of gunicorn.
_MOST = 48
_TEXT = "The gateway is busy; try again."


class Limit:
    """Lets so many requests in at once.

    A refused request has not been read, so clients can send it again.
    """

    def __init__(self, app: WSGIApplication, most: int) -> None:
        self._app = app
        self._free = threading.BoundedSemaphore(most)

    def __call__(
        self, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        if not self._free.acquire(blocking=False):
            refusal = webob.exc.HTTPServiceUnavailable(
                explanation=_TEXT, headers=[("Retry-After", "1")]
            )
            answer = lingering.after(environ, wsgi.call(refusal, environ), 0)
            return answer(environ, start_response)
        try:
            body = self._app(environ, start_response)
        except BaseException:
            self._free.release()
            raise
        return _Body(body, self._free.release)


class _Body:
    """A response body; closing it ends its request."""

    def __init__(self, body: Iterable[bytes], end: Callable[[], None]) -> None:
        self._body = body
        self._end = end
        self._ended = False

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        try:
            if hasattr(self._body, "close"):
                self._body.close()
        finally:
            if not self._ended:
                self._ended = True
                self._end()


def filter_factory(
    global_conf: dict[str, str], *, most: str = str(_MOST)
) -> Callable[[WSGIApplication], Limit]:
    """Make the filter.

    :param most: requests at once in each process
    :raises ConfigError: if it is no such number
    """
    if not (most.isdecimal() and int(most)):
        raise ConfigError(
            "filter:limit", "most", f"{most!r} is not a number of requests above 0"
        )
    return lambda app: Limit(app, int(most))

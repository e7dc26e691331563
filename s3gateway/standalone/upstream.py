# SPDX-License-Identifier: Apache-2.0
"""Forwards requests to a remote Glance: the last app of a stand-alone gateway.

Bodies stream in both directions.  Only this module speaks HTTP to Glance.

Safe requests use kept connections.  Each other request gets a new connection: if a kept
connection turns out to be closed, it is unknown whether Glance has executed the
request, so it cannot be sent again.
"""

from __future__ import annotations

import functools
import socket
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from typing import TYPE_CHECKING
from typing import Any
from urllib import parse

import requests
from oslo_log import log as logging
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPConnectionPool
from urllib3 import HTTPSConnectionPool
from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError
from urllib3.exceptions import NewConnectionError
from urllib3.util import SKIP_HEADER

from s3gateway.config.remote import RemoteSettings
from s3gateway.errors import GlanceError
from s3gateway.http import forwarding
from s3gateway.http import request_body
from s3gateway.http.answer_body import AnswerBody
from s3gateway.http.wsgi import Answer
from s3gateway.http.wsgi import Environ
from s3gateway.standalone import headers

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

LOG = logging.getLogger(__name__)

_SAFE = ("GET", "HEAD", "OPTIONS")
_STEP = 128 * 1024
_KEPT = 64  # connections
#: If no more than this is left of an answer, read it to the end and reuse the
#: connection.
_WORTH_READING = 64 * 1024

_LOOP = "The gateway forwards requests to itself."

# Path characters that need no escape (RFC 3986, 3.3).
_PATH = "/:@!$&'()*+,;=-._~"


class Upstream:
    """A WSGI app that answers what Glance answers."""

    def __init__(self, settings: RemoteSettings) -> None:
        self._settings = settings
        self._kept = HTTPAdapter(pool_connections=1, pool_maxsize=_KEPT)

    def __call__(
        self, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        return self._answer(environ)(environ, start_response)

    def _answer(self, environ: Environ) -> Answer:
        if headers.has_been_here(environ):
            LOG.error("[s3gateway] glance_url leads to the gateway, not to Glance")
            return _failed("508 Loop Detected", _LOOP)
        if headers.is_led_in_circles(environ):
            LOG.info("A request has passed too many gateways")
            return _failed("508 Loop Detected", _LOOP)
        request = self._request(environ)
        try:
            response = self._send(request, environ)
        except requests.exceptions.ConnectTimeout as error:
            return self._report("503 Service Unavailable", request, error)
        except requests.Timeout as error:
            return self._report("504 Gateway Timeout", request, error)
        except requests.ConnectionError as error:
            return self._report(_status_of(error), request, error)
        except (requests.RequestException, HTTPError) as error:
            return self._report("502 Bad Gateway", request, error)
        fields = headers.towards_client(list(response.raw.headers.items()))
        status = f"{response.status_code} {response.reason or ''}"
        length = _length(request, response)
        body = AnswerBody(_Received(response, length, self._end), length)
        return Answer(status, fields, body)

    def _request(self, environ: Environ) -> requests.PreparedRequest:
        settings = self._settings
        host = environ.get("HTTP_HOST", "") if settings.pass_host else ""
        fields = CaseInsensitiveDict(
            {"User-Agent": SKIP_HEADER}  # urllib3 adds its own if it is missing
        )
        fields.update(headers.towards_glance(environ, host=host or settings.host))
        request = requests.PreparedRequest()
        request.method = environ["REQUEST_METHOD"]
        request.url = settings.url + _target(environ)
        request.headers = fields
        if request.method not in _SAFE:
            fields["Connection"] = "close"
        length = request_body.content_length(environ)
        if environ.get("CONTENT_LENGTH") and length is not None:
            fields["Content-Length"] = str(length)
        return request

    def _send(
        self, request: requests.PreparedRequest, environ: Environ
    ) -> requests.Response:
        new = _NewConnection()
        body = forwarding.forwarded(environ, new.answers)
        if body is not None or request.method not in _SAFE:
            request.body = body  # type: ignore[assignment]
            return self._send_by(new, request)
        try:
            return self._send_by(self._kept, request)
        except requests.Timeout:
            raise
        except requests.ConnectionError:
            # Glance may have closed it while it was idle.
            return self._send_by(HTTPAdapter(), request)

    def _send_by(
        self, adapter: HTTPAdapter, request: requests.PreparedRequest
    ) -> requests.Response:
        settings = self._settings
        return adapter.send(
            request,
            stream=True,
            timeout=(settings.connect_timeout, settings.read_timeout),
            verify=settings.cacert or True,
        )

    def _end(self, response: requests.Response) -> None:
        """Give the connection of an answer back, or close it if bytes are unread."""
        response.close()
        if response.connection is not self._kept:
            response.connection.close()

    def _report(
        self, status: str, request: requests.PreparedRequest, error: Exception
    ) -> Answer:
        path = parse.urlsplit(request.url or "").path
        LOG.error("Glance did not answer %s %s: %s", request.method, path, error)
        return _failed(status, "The image service did not answer.")


class _NewConnection(HTTPAdapter):
    """Sends one request on a new connection, whose socket can be watched."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self._made: list[HTTPConnection] = []
        self.poolmanager.pool_classes_by_scheme = {
            "http": functools.partial(_pool, self._made),
            "https": HTTPSConnectionPool,
        }

    def answers(self) -> socket.socket | None:
        """Return the socket of the answer, ``None`` while there is no connection."""
        return self._made[-1].sock if self._made else None

    def close(self) -> None:
        super().close()
        for connection in self._made:
            connection.close()


def _pool(made: list[HTTPConnection], *args: Any, **kwargs: Any) -> HTTPConnectionPool:
    """Return a pool that appends its connections to a list."""

    def connect(*args: Any, **kwargs: Any) -> HTTPConnection:
        made.append(HTTPConnection(*args, **kwargs))
        return made[-1]

    pool = HTTPConnectionPool(*args, **kwargs)
    pool.ConnectionCls = connect  # type: ignore[assignment]
    return pool


class _Received:
    """Reads the body of Glance's answer.

    :param length: its size in bytes; ``None`` if unknown
    :param end: called with the response after the last read
    """

    def __init__(
        self,
        response: requests.Response,
        length: int | None,
        end: Callable[[requests.Response], None],
    ) -> None:
        self._response = response
        self._left = length or 0
        self._end = end
        self._stream: Iterator[bytes] = response.raw.stream(_STEP, decode_content=False)

    def read(self) -> bytes:
        """Return the next bytes, none at the end.

        :raises GlanceError: if Glance broke off
        """
        try:
            data = next(self._stream, b"")
        except (HTTPError, OSError) as error:
            raise GlanceError(f"Glance's answer broke off: {error}") from error
        self._left -= len(data)
        if not data and self._left > 0:
            missing = f"{self._left} bytes are missing"
            raise GlanceError(f"Glance's answer broke off: {missing}")
        return data

    def end(self, failure: BaseException | None) -> None:
        """Give the connection back, or close it if too much is unread."""
        if failure is not None:
            self._response.raw.close()
        elif 0 < self._left <= _WORTH_READING:
            try:
                for _ in self._stream:
                    pass
            except (HTTPError, OSError):
                LOG.debug("The rest of an answer could not be read")
        self._end(self._response)


def _target(environ: Environ) -> str:
    # WSGI has the bytes of the path as characters of latin-1 (PEP 3333).
    path = parse.quote(environ.get("PATH_INFO", "").encode("latin-1"), safe=_PATH)
    query = environ.get("QUERY_STRING", "")
    return f"{path}?{query}" if query else path


def _length(
    request: requests.PreparedRequest, response: requests.Response
) -> int | None:
    """Return the size of the body in bytes, ``None`` if unknown."""
    if request.method == "HEAD" or response.status_code in (204, 304):
        return 0
    if "chunked" in response.headers.get("Transfer-Encoding", "").lower():
        return None
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def _status_of(error: requests.ConnectionError) -> str:
    """Return 503 if Glance cannot have seen the request, else 502.

    Clients retry an upload after a 503; in this case none of the body was read.
    """
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", None)
    if isinstance(reason, NewConnectionError):
        return "503 Service Unavailable"
    return "502 Bad Gateway"


def _failed(status: str, text: str) -> Answer:
    body = f"{status}\n\n{text}\n".encode()
    fields = [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
    return Answer(status, fields, [body])

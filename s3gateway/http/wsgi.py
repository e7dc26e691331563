# SPDX-License-Identifier: Apache-2.0
"""WSGI: calls the next app, derives requests, and holds answers."""

from __future__ import annotations

import dataclasses
import io
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING
from typing import Any

import webob
from oslo_context import context as oslo_context

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse
    from _typeshed.wsgi import WSGIApplication

Environ = dict[str, Any]
Headers = list[tuple[str, str]]

#: Keys that describe the body or representation of *this* request.  None of them may be
#: part of a request that the gateway itself sends to Glance.
_ABOUT_THIS_REQUEST = frozenset({
    "CONTENT_LENGTH",
    "CONTENT_TYPE",
    "HTTP_ACCEPT_ENCODING",
    "HTTP_CONTENT_MD5",
    "HTTP_CONTENT_RANGE",
    "HTTP_EXPECT",
    "HTTP_IF_MATCH",
    "HTTP_IF_MODIFIED_SINCE",
    "HTTP_IF_NONE_MATCH",
    "HTTP_IF_RANGE",
    "HTTP_IF_UNMODIFIED_SINCE",
    "HTTP_RANGE",
    "HTTP_TRANSFER_ENCODING",
    "HTTP_X_IMAGE_META_STORE",
    "HTTP_X_OPENSTACK_IMAGE_SIZE",
    "QUERY_STRING",
    "wsgi.input",
    "wsgi.input_terminated",
})  # fmt: skip

#: webob keeps Glance's request context under this key; its other ``webob.``
#: keys cache what the request looked like.
CONTEXT = "webob.adhoc_attrs"
#: In a request: its ``Pace``.
PACE = "s3gateway.pace"


@dataclasses.dataclass
class Answer:
    """A response; it is a WSGI app.  The holder must close it or pass it on."""

    status: str
    headers: Headers
    body: Iterable[bytes]

    def __call__(
        self, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        start_response(self.status, self.headers)
        return self.body

    @property
    def code(self) -> int:
        return int(self.status.split(" ", 1)[0])

    def header(self, name: str) -> str:
        """Return the header's value, or an empty string."""
        for key, value in self.headers:
            if key.lower() == name.lower():
                return value
        return ""

    def read(self) -> bytes:
        """Return the whole body and close it; for answers known to be small."""
        try:
            return b"".join(self.body)
        finally:
            self.close()

    def close(self) -> None:
        close = getattr(self.body, "close", None)
        if close is not None:
            close()


def call(app: WSGIApplication, environ: Environ) -> Answer:
    """Call an app; read of its body only what it needs to call start_response."""
    status, headers, body = webob.Request(environ).call_application(app)
    return Answer(status, list(headers), body)


def question(
    environ: Environ,
    method: str,
    path: str,
    *,
    query: str = "",
    body: bytes = b"",
    content_type: str = "",
    headers: Headers | None = None,
) -> Environ:
    """Derive a request of the gateway's own from the client's.

    It keeps the client's identity, address and request id.  It drops everything that
    describes the client's body or the wanted representation.
    """
    derived = {
        key: value
        for key, value in environ.items()
        if key not in _ABOUT_THIS_REQUEST
        and (key == CONTEXT or not key.startswith(("webob.", "wsgiorg.", "routes.")))
    }
    derived.update({
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    })  # fmt: skip
    if content_type:
        derived["CONTENT_TYPE"] = content_type
    for name, value in headers or []:
        derived["HTTP_" + name.upper().replace("-", "_")] = value
    return derived


class Pace:
    """How fast a transfer may be; this one as fast as it can.

    :ivar step: most bytes that it moves before it waits
    """

    step = sys.maxsize

    def wait_after(self, count: int) -> None:
        """Wait as long as needed after so many bytes."""


def pace_of(environ: Environ) -> Pace:
    """Return how fast the transfer of a request may be."""
    found: Pace = environ.get(PACE) or Pace()
    return found


def caller(environ: Environ) -> oslo_context.RequestContext:
    """Return the sender of a request, from Glance's context or auth_token's headers.

    auth_token does not remove a client's own ``OpenStack-System-Scope`` header: the
    system scope counts only if the token has it.
    """
    context = environ.get(CONTEXT, {}).get("context")
    if isinstance(context, oslo_context.RequestContext):
        return context
    token = (environ.get("keystone.token_info") or {}).get("token", {})
    context = oslo_context.RequestContext.from_environ(environ, overwrite=False)
    if not token.get("system"):
        context.system_scope = None
    return context


def has_identity(environ: Environ) -> bool:
    """Whether the sender of a request is authenticated.

    auth_token says so, or the presence of Glance's context without Keystone.
    """
    status = environ.get("HTTP_X_IDENTITY_STATUS")
    if status is None:
        return "context" in environ.get(CONTEXT, {})
    return bool(status == "Confirmed")

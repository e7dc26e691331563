# SPDX-License-Identifier: Apache-2.0
"""Header fields: which ones pass the gateway, and which end here (RFC 9110, 7.6)."""

from __future__ import annotations

import re
import secrets

from s3gateway.http.wsgi import Environ
from s3gateway.http.wsgi import Headers

#: This process's name in ``Via``, to detect a request that comes back.  It is secret,
#: so no client can pretend that a request was here.
PSEUDONYM = f"s3gateway-{secrets.token_hex(8)}"
_ANY_GATEWAY = re.compile(r"s3gateway-[0-9a-f]{16}")
#: Most gateways in a chain.  A loop through other processes is detected by their
#: number.
_MOST_GATEWAYS = 4

# Fields about one connection, whether or not ``Connection`` names them.
_ONE_HOP = frozenset({
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
})  # fmt: skip

# Fields that the gateway sets itself: they belong to one connection, or the gateway
# must be able to read the answer.
_OURS = frozenset({
    "accept-encoding",
    "content-length",
    "expect",  # the server in front has answered it
    "forwarded",
    "host",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-proto",
})  # fmt: skip

# Headers of auth_token for the app behind it.  Glance has its own auth_token and
# ignores others' headers.  A service catalog would also exceed the servers' limits.
_IDENTITY = re.compile(
    r"x(-service)?-"
    r"((user|project|tenant)(-domain)?(-id|-name)?|domain-(id|name)"
    r"|roles?|catalog|identity-status|is-admin-project)"
    r"|openstack-system-scope"
)


def is_identity(name: str) -> bool:
    """Whether a field is one of auth_token's.

    :param name: in lower case
    """
    return bool(_IDENTITY.fullmatch(name))


def towards_glance(environ: Environ, *, host: str) -> Headers:
    """Return the header fields of a request to Glance.

    :param host: the value of ``Host``
    """
    fields = {_name(key): value for key, value in environ.items() if _is_field(key)}
    ended = _ONE_HOP | _OURS | _named(fields.get("connection", ""))
    found = [
        (name, value)
        for name, value in fields.items()
        if name not in ended and not is_identity(name)
    ]
    if environ.get("CONTENT_TYPE"):
        found.append(("content-type", environ["CONTENT_TYPE"]))
    request_id = environ.get("openstack.request_id", "")
    if request_id and "x-openstack-request-id" not in fields:
        found.append(("x-openstack-request-id", request_id))
    via = [field for field in (fields.get("via"), f"1.1 {PSEUDONYM}") if field]
    ours = [("host", host), ("accept-encoding", "identity"), ("via", ", ".join(via))]
    return [*ours, *found, *_forwarded(environ)]


def towards_client(fields: Headers) -> Headers:
    """Return the header fields of an answer to the client."""
    connection = ",".join(
        value for name, value in fields if name.lower() == "connection"
    )
    ended = _ONE_HOP | _named(connection)
    return [(name, value) for name, value in fields if name.lower() not in ended]


def has_been_here(environ: Environ) -> bool:
    """Whether a request has gone through this process before."""
    return PSEUDONYM in _gateways(environ)


def is_led_in_circles(environ: Environ) -> bool:
    """Whether a request has passed more gateways than a chain can have.

    A client can forge that.
    """
    return len(_gateways(environ)) > _MOST_GATEWAYS


def _gateways(environ: Environ) -> list[str]:
    """Return the gateways in the ``Via`` of a request."""
    hops = environ.get("HTTP_VIA", "").split(",")
    names = ["".join(hop.split()[1:2]) for hop in hops]
    return [name for name in names if _ANY_GATEWAY.fullmatch(name)]


def _forwarded(environ: Environ) -> Headers:
    """Return X-Forwarded-* fields for Glance's ``http_proxy_to_wsgi``."""
    values = {
        "x-forwarded-for": environ.get("REMOTE_ADDR", ""),
        "x-forwarded-host": environ.get("HTTP_HOST", ""),
        "x-forwarded-prefix": environ.get("SCRIPT_NAME", ""),
        "x-forwarded-proto": environ.get("wsgi.url_scheme", ""),
    }
    return [(name, value) for name, value in values.items() if value]


def _is_field(key: str) -> bool:
    # WSGI uses one name for fields with hyphens and with underscores.
    return key.startswith("HTTP_")


def _name(key: str) -> str:
    return key.removeprefix("HTTP_").replace("_", "-").lower()


def _named(connection: str) -> frozenset[str]:
    """Return the fields that a ``Connection`` field names."""
    return frozenset(name.strip().lower() for name in connection.split(","))

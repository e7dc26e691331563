# SPDX-License-Identifier: Apache-2.0
"""The spellings of ``/v2``: Glance's version negotiation, for a gateway of its own.

In Glance's pipeline its filter ``versionnegotiation`` comes first and the gateway sees
``/v2`` only.  A remote Glance has that filter behind the gateway: here it is
followed, so that no spelling of a path goes past what the gateway looks at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import webob
from oslo_log import log as logging

from s3gateway.http import wsgi
from s3gateway.http.wsgi import Environ

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse
    from _typeshed.wsgi import WSGIApplication

LOG = logging.getLogger(__name__)

_MEDIA_TYPE = "application/vnd.openstack.images-"
_MINOR = re.compile(r"v2\.\d+")


class Versions:
    """Gives requests the path that Glance will give them.

    :param app: the gateway
    :param glance: the app behind it, asked which versions there are
    """

    def __init__(self, app: WSGIApplication, glance: WSGIApplication) -> None:
        self._app = app
        self._glance = glance
        self._known = frozenset({"v2"})

    def __call__(
        self, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        return self._app(self._negotiated(environ), start_response)

    def _negotiated(self, environ: Environ) -> Environ:
        path = environ.get("PATH_INFO", "").lstrip("/")
        first, slash, rest = path.partition("/")
        if first == "versions":
            return _without_accept(environ)
        if version := _accepted(environ):
            environ = _without_accept(environ)
            if not self._knows(environ, version):
                return {**environ, "PATH_INFO": "/"}  # Glance shows its versions
            return {**environ, "PATH_INFO": f"/v2{environ.get('PATH_INFO', '')}"}
        environ = _without_accept(environ)
        if first != "v2" and self._knows(environ, first):
            return {**environ, "PATH_INFO": f"/v2{slash}{rest}"}
        return environ

    def _knows(self, environ: Environ, version: str) -> bool:
        """Whether Glance takes a version; what it does not know may be new."""
        if version not in self._known and _MINOR.fullmatch(version):
            question = wsgi.question(environ, "GET", "/versions")
            question.pop("HTTP_ACCEPT", None)
            shown = wsgi.call(self._glance, question).read()
            try:
                found = {each["id"] for each in json.loads(shown)["versions"]}
            except (ValueError, KeyError, TypeError):
                LOG.warning("Glance does not say which versions its API has")
                found = set()
            self._known |= found
        return version in self._known


def _accepted(environ: Environ) -> str:
    """Return the version that ``Accept`` names, as Glance reads it; empty for none."""
    accept = str(webob.Request(environ).accept)
    found = accept.startswith(_MEDIA_TYPE)
    return accept.removeprefix(_MEDIA_TYPE) if found else ""


def _without_accept(environ: Environ) -> Environ:
    """Return a request whose ``Accept`` names no version.

    Which one was meant is decided here, and Glance must not decide anew.
    """
    if "vnd.openstack.images" not in environ.get("HTTP_ACCEPT", "").lower():
        return environ
    return {key: environ[key] for key in environ if key != "HTTP_ACCEPT"}

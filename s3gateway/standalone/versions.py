# SPDX-License-Identifier: Apache-2.0
"""Version negotiation for a stand-alone gateway: maps all spellings to ``/v2``.

In Glance's pipeline the filter ``versionnegotiation`` comes first, so the gateway sees
only ``/v2``.  A remote Glance has that filter behind the gateway.  This module does the
same in front, so that no spelling of a path escapes the gateway's checks.
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
    """Rewrites paths as Glance itself will rewrite them.

    :param app: the gateway
    :param glance: the app behind it, which lists the versions
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
        """Whether Glance supports a version; it is asked again about unknown ones."""
        if version not in self._known and _MINOR.fullmatch(version):
            question = wsgi.question(environ, "GET", "/versions")
            question.pop("HTTP_ACCEPT", None)
            shown = wsgi.call(self._glance, question).read()
            try:
                found = {each["id"] for each in json.loads(shown)["versions"]}
            except (ValueError, KeyError, TypeError):
                LOG.warning("Glance does not list its API versions: check glance_url")
                found = set()
            self._known |= found
        return version in self._known


def _accepted(environ: Environ) -> str:
    """Return the version in ``Accept``, as Glance reads it; empty for none."""
    accept = str(webob.Request(environ).accept)
    found = accept.startswith(_MEDIA_TYPE)
    return accept.removeprefix(_MEDIA_TYPE) if found else ""


def _without_accept(environ: Environ) -> Environ:
    """Return a request whose ``Accept`` names no version.

    This module has chosen the version; Glance must not choose another.
    """
    if "vnd.openstack.images" not in environ.get("HTTP_ACCEPT", "").lower():
        return environ
    return {key: environ[key] for key in environ if key != "HTTP_ACCEPT"}

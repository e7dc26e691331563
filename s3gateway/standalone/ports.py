# SPDX-License-Identifier: Apache-2.0
"""Routes requests by the listener's port, for the paste file of a sealed gateway."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any

import webob.exc

from s3gateway.http.wsgi import Environ

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse
    from _typeshed.wsgi import WSGIApplication


class Ports:
    """Calls the app of the port that a request came to.

    :param apps: by port
    """

    def __init__(self, apps: Mapping[str, WSGIApplication]) -> None:
        self._apps = apps

    def __call__(
        self, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        app = self._apps.get(_port(environ))
        if app is None:
            return webob.exc.HTTPNotFound()(environ, start_response)
        return app(environ, start_response)


def _port(environ: Environ) -> str:
    """Return the port of the listener; no field of the request may decide it.

    gunicorn takes SERVER_PORT of a Unix socket from the field Host.
    """
    sock = environ.get("gunicorn.socket")
    if sock is None:
        return str(environ.get("SERVER_PORT", ""))
    try:
        address = sock.getsockname()
    except OSError:  # the client is gone
        return ""
    return str(address[1]) if isinstance(address, tuple) else ""


def composite_factory(
    loader: Any, global_conf: dict[str, str], **local_conf: str
) -> Ports:
    """Make the app of a ``[composite:...]`` section: its options are ports."""
    return Ports({
        port: loader.get_app(name, global_conf=global_conf)
        for port, name in local_conf.items()
    })  # fmt: skip

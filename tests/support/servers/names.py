# SPDX-License-Identifier: Apache-2.0
"""Resolves ``*.localhost`` (RFC 6761), as not every C library does.

As an app in Glance's paste file it does so in Glance's process::

    [app:names]
    paste.app_factory = tests.support.servers.names:app_factory
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

_resolve = socket.getaddrinfo


def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
    """Resolve a name as ``socket.getaddrinfo`` does."""
    if str(host).endswith(".localhost"):
        host = "127.0.0.1"
    return _resolve(host, *arguments, **options)


def app_factory(
    global_conf: dict[str, str], **local_conf: str
) -> Callable[[dict[str, Any], Any], list[bytes]]:
    """Paste's factory: an app that only says that it is there."""
    socket.getaddrinfo = getaddrinfo

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("204 No Content", [])
        return []

    return app

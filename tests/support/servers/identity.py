# SPDX-License-Identifier: Apache-2.0
"""A stand-in for keystonemiddleware's auth_token: the token names its user.

The tests that need no Keystone put it where ``authtoken`` is in Glance's paste
file.  A token is ``user:project:role,role``, a service token likewise; an empty
or missing one is nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib import parse


def token(user: str, project: str, *roles: str) -> str:
    """Return the token of a user with roles in a project."""
    return f"{user}:{project}:{','.join(roles)}"


class Identity:
    """Sets the headers that auth_token would set."""

    def __init__(self, app: Callable[..., Any]) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        for name in [name for name in environ if name.startswith("HTTP_X_SERVICE_R")]:
            del environ[name]
        environ["HTTP_X_IDENTITY_STATUS"] = "Invalid"
        given = _given(environ, "HTTP_X_AUTH_TOKEN")
        if given.count(":") == 2:
            environ.update(_headers(given))
            # auth_token says of each token which scope it has, whatever was sent
            environ.pop("HTTP_OPENSTACK_SYSTEM_SCOPE", None)
        given = _given(environ, "HTTP_X_SERVICE_TOKEN")
        if given.count(":") == 2:
            environ["HTTP_X_SERVICE_ROLES"] = given.split(":")[2]
            environ["HTTP_X_SERVICE_IDENTITY_STATUS"] = "Confirmed"
        return self._app(environ, start_response)


def _given(environ: dict[str, Any], name: str) -> str:
    """Return a token; glanceclient quotes what no token of Keystone's has in it."""
    return parse.unquote(environ.get(name, ""))


def _headers(text: str) -> dict[str, str]:
    user, project, roles = text.split(":")
    return {
        "HTTP_X_IDENTITY_STATUS": "Confirmed",
        "HTTP_X_USER_ID": user,
        "HTTP_X_USER_NAME": user,
        "HTTP_X_USER_DOMAIN_ID": "default",
        "HTTP_X_PROJECT_ID": project,
        "HTTP_X_PROJECT_NAME": project,
        "HTTP_X_PROJECT_DOMAIN_ID": "default",
        "HTTP_X_TENANT_ID": project,
        "HTTP_X_ROLES": roles,
    }


def filter_factory(
    global_conf: dict[str, str], **local_conf: str
) -> Callable[[Callable[..., Any]], Identity]:
    """Paste's factory."""
    return Identity

# SPDX-License-Identifier: Apache-2.0
"""Routes requests by path prefix, for the paste file of a stand-alone gateway."""

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


class Paths:
    """Calls the app with the longest prefix of the request's path.

    :param apps: by prefix, without a trailing slash
    """

    def __init__(self, apps: Mapping[str, WSGIApplication]) -> None:
        self._apps = dict(sorted(apps.items(), key=lambda item: -len(item[0])))

    def __call__(
        self, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        for prefix, app in self._apps.items():
            if f"{path}/".startswith(f"{prefix}/"):
                moved = {
                    "SCRIPT_NAME": environ.get("SCRIPT_NAME", "") + prefix,
                    "PATH_INFO": path.removeprefix(prefix),
                }
                return app({**environ, **moved}, start_response)
        return webob.exc.HTTPNotFound()(environ, start_response)


def composite_factory(
    loader: Any, global_conf: dict[str, str], **local_conf: str
) -> Paths:
    """Make the app of a ``[composite:...]`` section: its options are paths."""
    return Paths({
        path.rstrip("/"): loader.get_app(name, global_conf=global_conf)
        for path, name in local_conf.items()
    })  # fmt: skip

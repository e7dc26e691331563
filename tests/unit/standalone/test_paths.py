# SPDX-License-Identifier: Apache-2.0
"""Apps by path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from s3gateway.http import wsgi
from s3gateway.standalone.paths import Paths


def app(name: str) -> Callable[..., Any]:
    def called(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        words = [name, environ["SCRIPT_NAME"], environ["PATH_INFO"]]
        return ["|".join(words).encode()]

    return called


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/", b"root||/"),
        ("/v2/images", b"root||/v2/images"),
        ("/health", b"health|/health|"),
        ("/health/deep", b"health|/health|/deep"),
        ("/healthy", b"root||/healthy"),
    ],
)
def test_the_longest_path_wins(path: str, found: bytes) -> None:
    paths = Paths({"": app("root"), "/health": app("health")})
    environ = {"SCRIPT_NAME": "", "PATH_INFO": path, "REQUEST_METHOD": "GET"}
    assert wsgi.call(paths, environ).read() == found


def test_outside_of_all_paths_is_404() -> None:
    paths = Paths({"/image": app("image")})
    environ = {
        "SCRIPT_NAME": "",
        "PATH_INFO": "/imagery",
        "REQUEST_METHOD": "GET",
        "wsgi.url_scheme": "http",
        "SERVER_NAME": "x",
        "SERVER_PORT": "80",
    }
    assert wsgi.call(paths, environ).code == 404

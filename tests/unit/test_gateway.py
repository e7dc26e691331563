# SPDX-License-Identifier: Apache-2.0
"""Which answers of Glance make the gateway forget an image's data."""

from __future__ import annotations

from typing import Any
from typing import cast

import pytest

from s3gateway.gateway import Gateway
from s3gateway.http.wsgi import Answer
from s3gateway.http.wsgi import Environ
from s3gateway.monitoring import metrics


class Passing:
    """A Glance that gives one answer, and what stands before it.

    :ivar forgotten: the images whose data was forgotten
    """

    def __init__(self, status: str) -> None:
        self.status = status
        self.forgotten: list[str] = []

    def pass_through(self, environ: Environ) -> Answer:
        """Answer, and change the path as paste's urlmap does."""
        environ["SCRIPT_NAME"] = "/v2"
        environ["PATH_INFO"] = environ.get("PATH_INFO", "").removeprefix("/v2")
        return Answer(self.status, [], [])

    def admit(self, environ: Environ) -> Environ:
        return environ

    def apply(self, environ: Environ, answer: Answer) -> Answer:
        return answer

    def paced(self, environ: Environ, kind: str) -> Environ:
        return environ

    def get(self, environ: Environ, image_id: str) -> Answer:
        return self.pass_through(environ)

    def forget(self, image_id: str) -> None:
        self.forgotten.append(image_id)


def ask(status: str, method: str, **fields: str) -> list[str]:
    """Send a request; return the images that are forgotten."""
    glance = Passing(status)
    them = cast("Any", glance)
    gateway = Gateway(them, them, them, them, them, limits=them, drain_limit=0)
    environ = {
        "REQUEST_METHOD": method,
        "SERVER_NAME": "glance",
        "SERVER_PORT": "9292",
        "wsgi.url_scheme": "http",
        **fields,
    }
    answered: list[str] = []
    body = gateway(environ, lambda found, *_: answered.append(found))  # type: ignore[arg-type]
    assert b"".join(body) == b""
    assert answered == [status]
    return glance.forgotten


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/v2/images/an-id"),
        ("DELETE", "/v2//images/an-id"),
        ("POST", "/v2/images/an-id/actions/deactivate"),
    ],
)
def test_an_image_that_is_withdrawn(method: str, path: str) -> None:
    assert ask("204 No Content", method, PATH_INFO=path) == ["an-id"]
    assert ask("403 Forbidden", method, PATH_INFO=path) == []


def test_a_download_that_glance_answers_is_counted_as_one() -> None:
    def count() -> float:
        labels = {"operation": "download", "status": "2xx"}
        found = metrics.REGISTRY.get_sample_value("s3gateway_requests_total", labels)
        return found or 0.0

    before = count()
    ask("200 OK", "GET", PATH_INFO="/v2/images/an-id/file")
    assert count() == before + 1


def test_other_requests() -> None:
    assert ask("204 No Content", "DELETE", PATH_INFO="/v2/images/an-id/tags/a") == []
    assert ask("204 No Content", "DELETE") == []  # without a path

# SPDX-License-Identifier: Apache-2.0
"""Which requests count as uploads, and after which an image's data is forgotten."""

from __future__ import annotations

import dataclasses
import logging
from typing import Any
from typing import cast

import pytest

from s3gateway.gateway import Gateway
from s3gateway.http.wsgi import Answer
from s3gateway.http.wsgi import Environ
from s3gateway.locations import requests
from s3gateway.monitoring import metrics
from s3gateway.streams.limits import Limits
from tests.support.s3.stores import TRANSFER


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
        """Say what a guard says of a PATCH that removes a location."""
        if environ["REQUEST_METHOD"] != "PATCH":
            return environ
        return {**environ, requests.TAKES_FROM: "an-id"}

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
        ("DELETE", "/v2/stores/fast/an-id"),
    ],
)
def test_an_image_that_is_withdrawn(method: str, path: str) -> None:
    assert ask("204 No Content", method, PATH_INFO=path) == ["an-id"]
    assert ask("403 Forbidden", method, PATH_INFO=path) == []


def test_a_location_that_is_removed() -> None:
    assert ask("200 OK", "PATCH", PATH_INFO="/v2/images/an-id") == ["an-id"]
    assert ask("403 Forbidden", "PATCH", PATH_INFO="/v2/images/an-id") == []


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


class Taking(Passing):
    """What takes data, and gets another request of the project meanwhile."""

    def __init__(self) -> None:
        super().__init__("204 No Content")
        limits = Limits(dataclasses.replace(TRANSFER, project_uploads=1))
        them = cast("Any", self)
        self.gateway = Gateway(
            them, them, them, them, them, limits=limits, drain_limit=0
        )
        self.meanwhile: tuple[str, str] | None = None
        self.answered: list[str] = []

    def put(self, environ: Environ, image_id: str) -> Answer:
        if self.meanwhile is not None:
            (method, path), self.meanwhile = self.meanwhile, None
            self.ask(method, path)
        return Answer(self.status, [], [])

    keep_out = put

    def ask(self, method: str, path: str) -> None:
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "SERVER_NAME": "glance",
            "SERVER_PORT": "9292",
            "wsgi.url_scheme": "http",
            "HTTP_X_PROJECT_ID": "acme",
        }
        self.gateway(environ, lambda found, *_: self.answered.append(found[:3]))  # type: ignore[arg-type]


FILE = ("PUT", "/v2/images/an-id/file")
STAGE = ("PUT", "/v2/images/an-id/stage")


@pytest.mark.parametrize("first", [FILE, STAGE], ids=str)
@pytest.mark.parametrize(
    ("other", "status"),
    [
        (FILE, "503"),
        (STAGE, "503"),
        (("GET", "/v2/images/an-id/file"), "204"),
        (("POST", "/v2/images/an-id/import"), "204"),
        (("PUT", "/v2/images/an-id/tags/a"), "204"),
    ],
    ids=str,
)
def test_what_counts_as_an_upload(
    first: tuple[str, str], other: tuple[str, str], status: str
) -> None:
    """Whoever takes the data: the gateway, Glance, or Glance for an import."""
    them = Taking()
    them.meanwhile = other
    them.ask(*first)
    them.ask(*first)
    assert them.answered == [status, "204", "204"]


def test_a_refused_upload_is_no_error_of_the_gateway(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A project could fill the log with them."""
    caplog.set_level(logging.INFO)
    them = Taking()
    them.meanwhile = FILE
    them.ask(*FILE)
    [told] = [each for each in caplog.records if "running already" in each.message]
    assert told.levelno == logging.INFO

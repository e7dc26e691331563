# SPDX-License-Identifier: Apache-2.0
"""Locations that Glance shows to a service: who is asked, and what if it does not."""

from __future__ import annotations

import logging
from collections.abc import Callable
from collections.abc import Iterable
from typing import Any

import pytest
import webob

from s3gateway.errors import GlanceError
from s3gateway.glance.api import Glance
from s3gateway.glance.api import Refused
from s3gateway.glance.service_locations import ServiceLocations
from tests.support.servers.image_api import ImageApi

URL = "s3://s3.example:9000/fast/an-image.0123456789abcdef"


class Shy:
    """A Glance that shows locations to a service alone.

    :ivar code: what the service is answered
    :ivar body: likewise
    :ivar meanwhile: called before the service is answered
    """

    def __init__(self) -> None:
        self._glance = ImageApi(lambda url: 1)
        self.image_id = self._glance.create()
        self.image["status"] = "active"
        self.code = "200 OK"
        self.body = b'[{"url": "%s", "metadata": {"store": "fast"}}]' % URL.encode()
        self.asked: list[str] = []
        self.meanwhile: Callable[[], object] = lambda: None

    @property
    def image(self) -> dict[str, Any]:
        return self._glance.images[self.image_id]

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if not environ["PATH_INFO"].endswith("/locations"):
            return self._glance(environ, start_response)
        self.asked.append(environ["HTTP_X_AUTH_TOKEN"])
        self.meanwhile()
        start_response(self.code, [])
        return [self.body]

    def forget(self) -> None:
        """Let there be no image."""
        self._glance.images.clear()

    def shown(self, images: ServiceLocations) -> Any:
        environ = {**webob.Request.blank("/").environ, "HTTP_X_AUTH_TOKEN": "alice"}
        return images.show(environ, self.image_id)


@pytest.fixture
def glance() -> Shy:
    return Shy()


@pytest.fixture
def images(glance: Shy) -> ServiceLocations:
    return ServiceLocations(
        Glance(glance), lambda environ: {**environ, "HTTP_X_AUTH_TOKEN": "gateway"}
    )


def test_the_gateways_own_user_asks_for_locations(
    glance: Shy, images: ServiceLocations
) -> None:
    [location] = glance.shown(images).locations
    assert (location.url, location.metadata) == (URL, {"store": "fast"})
    assert glance.asked == ["gateway"]


def test_an_image_that_the_caller_does_not_see_is_not_asked_about(
    glance: Shy, images: ServiceLocations
) -> None:
    glance.forget()
    with pytest.raises(Refused):
        glance.shown(images)
    assert not glance.asked


def test_an_image_without_data_is_not_asked_about(
    glance: Shy, images: ServiceLocations
) -> None:
    glance.image["status"] = "queued"
    assert not glance.shown(images).locations
    assert not glance.asked


# 404 it is where the user is no admin and the image somebody else's.
@pytest.mark.parametrize("code", ["403 Forbidden", "404 Not Found"])
def test_a_refusal_is_glances_answer_and_said_once(
    glance: Shy, images: ServiceLocations, caplog: pytest.LogCaptureFixture, code: str
) -> None:
    glance.code = code
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            with pytest.raises(Refused):
                glance.shown(images)
    assert caplog.text.count("Give [service_user] the roles service and admin") == 1


def test_nothing_is_said_of_an_image_that_was_deleted_meanwhile(
    glance: Shy, images: ServiceLocations, caplog: pytest.LogCaptureFixture
) -> None:
    glance.code = "404 Not Found"
    glance.meanwhile = glance.forget
    with pytest.raises(Refused), caplog.at_level(logging.WARNING):
        glance.shown(images)
    assert not caplog.text


@pytest.mark.parametrize(
    "body", [b"", b"null", b"{}x", b"[1]", b"[{}]", b'[{"url": "x", "metadata": 1}, 2]']
)
def test_an_answer_without_locations_is_none(
    glance: Shy, images: ServiceLocations, body: bytes
) -> None:
    glance.body = body
    with pytest.raises(GlanceError):
        glance.shown(images)

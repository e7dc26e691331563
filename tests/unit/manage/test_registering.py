# SPDX-License-Identifier: Apache-2.0
"""After a change of locations, what the image shows decides."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from s3gateway.download.failover import Copy
from s3gateway.errors import Conflict
from s3gateway.errors import GatewayError
from s3gateway.errors import ImageGone
from s3gateway.errors import NotKnown
from s3gateway.glance.api import Image
from s3gateway.glance.releases import Traits
from s3gateway.manage.operator import Operator
from s3gateway.manage.registering import add_location
from s3gateway.manage.registering import remove_store
from tests.support.s3.memory import MemoryStore
from tests.support.s3.memory import store_settings

ID = "6f2c5a1e-0b8c-4a53-9a37-2f1d8f6b7c11"
KEY = f"{ID}.0123456789abcdef"
FILE = {
    "url": f"file:///images/{ID}",
    "metadata": {"store": "local", "s3gateway_virtual_size": "7"},
}


class Glance:
    """An image API with one image.

    :ivar does: whether it does what it is asked to
    :ivar status: what it answers to changes; 0 for no answer at all
    :ivar shown: the status with which it shows the image
    :ivar with_credentials: which form of URIs it takes, ``None`` for both
    """

    def __init__(self) -> None:
        self.locations: list[dict[str, Any]] = [FILE]
        self.checksum = "d41d8cd98f00b204e9800998ecf8427e"
        self.status = 200
        self.shown = 200
        self.does = True
        self.with_credentials: bool | None = None
        self.asked: list[str] = []
        self.urls: list[str] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        self.asked.append(method)
        status, body = self.shown, self.image()
        if method == "PATCH":
            [change] = json.loads(environ["wsgi.input"].read())
            status = self._change(change["value"])
        elif method == "DELETE":
            status = self.status
            self.locations = self.locations[1:] if self.does else self.locations
        start_response(f"{status} Whatever", [("Content-Type", "application/json")])
        return [json.dumps(body).encode()]

    def image(self) -> dict[str, Any]:
        return {
            "id": ID,
            "status": "active",
            "size": 42,
            "checksum": self.checksum,
            "os_hash_algo": "sha512",
            "os_hash_value": "aa" * 64,
            "locations": self.locations,
        }

    def _change(self, value: dict[str, Any]) -> int:
        self.urls.append(value["url"])
        form = "@" in value["url"]
        if self.with_credentials not in (None, form):
            return 400
        if self.does:
            self.locations = [*self.locations, value]
        if not self.status:
            raise TimeoutError
        return self.status


@pytest.fixture
def glance() -> Glance:
    return Glance()


def operator(glance: Glance) -> Operator:
    return Operator(glance, lambda asked: asked, Traits())


def add(glance: Glance) -> None:
    add_location(operator(glance), shown(glance), copy(), with_credentials=False)


def shown(glance: Glance) -> Image:
    return operator(glance).show(ID)


def copy() -> Copy:
    store = MemoryStore(store_settings("fast"))
    return Copy(store, store.settings.bucket, KEY)


def test_a_location_is_added_with_the_virtual_size(glance: Glance) -> None:
    add(glance)
    added = glance.locations[-1]
    assert added["url"] == f"s3://s3.example:9000/fast/{KEY}"
    assert added["metadata"] == {"store": "fast", "s3gateway_virtual_size": "7"}
    assert added["validation_data"]["os_hash_value"] == "aa" * 64
    assert added["validation_data"]["checksum"] == glance.checksum


@pytest.mark.parametrize("with_credentials", [True, False])
def test_either_form_of_a_uri(glance: Glance, with_credentials: bool) -> None:
    """If the configuration says that Glance needs keys."""
    glance.with_credentials = with_credentials
    add_location(operator(glance), shown(glance), copy(), with_credentials=True)
    assert len(glance.locations) == 2


def test_no_keys_are_sent_to_a_glance_that_needs_none(glance: Glance) -> None:
    """Whatever it answers: it would write them into its log."""
    glance.with_credentials = True
    with pytest.raises(GatewayError, match="did not add the location: it answered 400"):
        add(glance)
    assert glance.urls == [f"s3://s3.example:9000/fast/{KEY}"]


@pytest.mark.parametrize("status", [500, 0])
def test_an_answer_that_is_wrong_or_lost_is_settled_by_looking(
    glance: Glance, status: int
) -> None:
    glance.status = status
    add(glance)
    assert len(glance.locations) == 2


@pytest.mark.parametrize("status", [200, 403, 500, 0])
def test_what_was_not_added_is_an_error_whatever_the_answer(
    glance: Glance, status: int
) -> None:
    glance.does, glance.status = False, status
    with pytest.raises(GatewayError, match="did not add"):
        add(glance)


@pytest.mark.parametrize("status", [502, 504])
def test_a_proxy_that_has_not_waited_for_glance_says_nothing(
    glance: Glance, status: int
) -> None:
    glance.does, glance.status = False, status
    with pytest.raises(NotKnown, match="may still add"):
        add(glance)


def test_an_image_with_other_data_keeps_nothing_of_ours(glance: Glance) -> None:
    before = shown(glance)
    glance.checksum = "00" * 16
    with pytest.raises(Conflict, match="other data"):
        add_location(operator(glance), before, copy(), with_credentials=False)


@pytest.mark.parametrize(("status", "error"), [(404, ImageGone), (503, NotKnown)])
def test_an_image_that_is_not_shown_any_more(
    glance: Glance, status: int, error: type[Exception]
) -> None:
    before = shown(glance)
    glance.shown = status
    with pytest.raises(error):
        add_location(operator(glance), before, copy(), with_credentials=False)


@pytest.mark.parametrize("status", [204, 500])
def test_a_store_is_left(glance: Glance, status: int) -> None:
    glance.status = status
    remove_store(operator(glance), shown(glance), "local")
    assert glance.asked[-2:] == ["DELETE", "GET"]


@pytest.mark.parametrize("status", [204, 409])
def test_a_store_that_is_not_left_is_told(glance: Glance, status: int) -> None:
    glance.status, glance.does = status, False
    with pytest.raises(GatewayError, match="it is in both stores"):
        remove_store(operator(glance), shown(glance), "local")

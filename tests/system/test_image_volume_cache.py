# SPDX-License-Identifier: Apache-2.0
"""Cinder's image-volume cache is kept: ``updated_at`` stays after activation.

Cinder compares it with that of the image the cached volume was made of, and makes the
volume anew when it has moved.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.support.clients.api import Api
from tests.support.servers.cloud import Cloud
from tests.support.servers.identity import token

ALICE = token("alice", "acme", "member", "reader")
CINDER = token("cinder", "service", "admin", "service")

LONG_AGO = "2020-02-02 02:02:02"
SHOWN = "2020-02-02T02:02:02Z"

DATA = b"0123456789" * 600_000


def show(api: Api, image_id: str) -> int:
    return api.request("GET", f"/v2/images/{image_id}").status


def list_all(api: Api, image_id: str) -> int:
    answer = api.request("GET", "/v2/images?limit=1000")
    assert image_id in json.dumps(answer.json())
    return answer.status


def download(api: Api, image_id: str) -> int:
    answer = api.download(image_id)
    assert answer.body == DATA
    return answer.status


def download_range(api: Api, image_id: str) -> int:
    answer = api.download(image_id, Range="bytes=5-3000000")
    assert answer.body == DATA[5:3_000_001]
    return answer.status


def download_if_changed(api: Api, image_id: str) -> int:
    etag = api.request("HEAD", f"/v2/images/{image_id}/file").headers["ETag"]
    return api.download(image_id, If_None_Match=etag).status


def look_at_data(api: Api, image_id: str) -> int:
    return api.request("HEAD", f"/v2/images/{image_id}/file").status


def upload_again(api: Api, image_id: str) -> int:
    return api.upload(image_id, b"other data").status


def write_location(api: Api, image_id: str) -> int:
    value = [{"url": "http://127.0.0.1/x", "metadata": {}}]
    change = {"op": "replace", "path": "/locations", "value": value}
    return api.patch(image_id, change).status


ACTIONS = [
    pytest.param(show, 200, id="show"),
    pytest.param(list_all, 200, id="list"),
    pytest.param(download, 200, id="download"),
    pytest.param(download_range, 206, id="range"),
    pytest.param(download_if_changed, 304, id="if-none-match"),
    pytest.param(look_at_data, 200, id="head"),
    pytest.param(upload_again, 409, id="second-upload"),
    pytest.param(write_location, 403, id="refused-location"),
]


@pytest.fixture(params=[pytest.param(30, marks=pytest.mark.full), 33])
def cached(clouds: Callable[[int], Cloud], request: pytest.FixtureRequest) -> Cloud:
    """A release whose images live as long as a cached volume of them."""
    return clouds(request.param)


def active_since_long(cloud: Cloud) -> str:
    """Return an image that was uploaded through the gateway, long ago.

    Glance counts whole seconds: a change just after the upload would not be seen.
    """
    api = cloud.api(ALICE, gateway=True)
    image_id = api.create(name="cached by cinder")
    assert api.upload(image_id, DATA).status == 204
    cloud.sql(f"UPDATE images SET updated_at='{LONG_AGO}' WHERE id='{image_id}'")  # noqa: S608
    assert updated_at(cloud, image_id) == SHOWN
    return image_id


def updated_at(cloud: Cloud, image_id: str) -> str:
    """Return what stock Glance shows."""
    return str(cloud.api(ALICE, gateway=False).show(image_id)["updated_at"])


@pytest.mark.parametrize(("do", "status"), ACTIONS)
def test_what_users_do_does_not_move_it(
    cached: Cloud, do: Callable[[Api, str], int], status: int
) -> None:
    image_id = active_since_long(cached)
    assert do(cached.api(ALICE, gateway=True), image_id) == status
    assert updated_at(cached, image_id) == SHOWN


def test_what_cinder_does_does_not_move_it(cached: Cloud) -> None:
    image_id = active_since_long(cached)
    api = cached.api(CINDER, gateway=True)
    assert show(api, image_id) == 200
    assert download(api, image_id) == 200
    # Glance 30 does not have all of what Cinder tries first.
    answer = api.request("GET", f"/v2/images/{image_id}/locations")
    assert answer.status == 200 or cached.release < 33
    assert updated_at(cached, image_id) == SHOWN


def test_a_change_of_the_image_does_move_it(cached: Cloud) -> None:
    """So that the tests above can fail."""
    image_id = active_since_long(cached)
    change = {"op": "replace", "path": "/name", "value": "another name"}
    assert cached.api(ALICE, gateway=True).patch(image_id, change).status == 200
    assert updated_at(cached, image_id) > SHOWN

# SPDX-License-Identifier: Apache-2.0
"""The stand-alone gateway with a real Keystone: valid tokens, and their end."""

from __future__ import annotations

import concurrent.futures
import time
from collections.abc import Iterator

import pytest
import requests

from tests.support.clients.api import Api
from tests.support.clients.api import Response
from tests.support.servers import keystone as keystones
from tests.support.servers.cloud import Cloud
from tests.support.servers.keystone import ADMIN
from tests.support.servers.keystone import ALICE
from tests.support.servers.keystone import BOB
from tests.support.servers.keystone import Keystone
from tests.support.servers.standalone import Gateway

DATA = bytes(range(256)) * 4000
FORGED = {
    "X_Identity_Status": "Confirmed",
    "X_Service_Identity_Status": "Confirmed",
    "X_User_Id": "0" * 32,
    "X_Project_Id": "0" * 32,
    "X_Tenant_Id": "0" * 32,
    "X_Roles": "admin,service",
    "X_Role": "admin",
    "X_Service_Roles": "service,admin",
    "X_Is_Admin_Project": "True",
    "OpenStack_System_Scope": "all",
}


@pytest.fixture
def alice(identified: Gateway, keystone: Keystone) -> Api:
    return Api(identified.url, keystone.token(ALICE))


def test_users_of_two_projects(
    identified: Gateway, keystone: Keystone, alice: Api
) -> None:
    image_id = alice.create()
    bob = Api(identified.url, keystone.token(BOB))
    admin = Api(identified.url, keystone.token(ADMIN))
    assert bob.upload(image_id, DATA).status == 404
    assert alice.upload(image_id, DATA).status == 204
    assert alice.download(image_id).body == DATA
    assert bob.download(image_id).status == 404
    assert admin.download(image_id).body == DATA
    assert Api(identified.url).download(image_id).status == 401
    assert alice.show(image_id)["locations"][0]["url"] == f"s3://fast/{image_id}"
    assert alice.delete(image_id).status == 204


def test_forged_identities_are_not_believed(
    identified: Gateway, keystone: Keystone, alice: Api
) -> None:
    image_id = alice.create()
    nobody = Api(identified.url)
    bob = Api(identified.url, keystone.token(BOB))
    assert nobody.request("GET", "/v2/images", **FORGED).status == 401
    assert nobody.upload(image_id, DATA, **FORGED).status == 401
    assert bob.upload(image_id, DATA, **FORGED).status == 404
    assert bob.download(image_id, **FORGED).status == 404
    location = {"url": "http://192.0.2.1/disk", "metadata": {}}
    change = [{"op": "add", "path": "/locations/-", "value": location}]
    answer = requests.patch(
        f"{alice.url}/v2/images/{image_id}",
        json=change,
        headers={
            "X-Auth-Token": alice.token,
            "Content-Type": "application/openstack-images-v2.1-json-patch",
            **{name.replace("_", "-"): value for name, value in FORGED.items()},
        },
        timeout=60,
    )
    assert answer.status_code == 403
    assert "locations are invisible" in answer.text
    assert alice.show(image_id)["status"] == "queued"


def until_expired(lifetime: float) -> Iterator[bytes]:
    """Yield data that ends when a token has run out."""
    end = time.monotonic() + lifetime + 1
    yield DATA
    while (left := end - time.monotonic()) > 0:
        time.sleep(left)
    yield DATA


@pytest.fixture
def short_token(keystone: Keystone) -> Iterator[str]:
    """A token that lives long enough to begin an upload with."""
    with keystones.hasty(keystone, seconds=20) as hasty:
        yield hasty.token(ALICE)


@pytest.mark.full
def test_an_upload_may_take_longer_than_its_token_lives(
    cloud: Cloud,
    identified: Gateway,
    keystone: Keystone,
    alice: Api,
    short_token: str,
) -> None:
    """It does with a service user, and without leaves nothing behind."""
    without = cloud.identified(keystone, {})

    def upload(url: str, image_id: str) -> Response:
        body = until_expired(keystone.lifetime(short_token))
        return Api(url, short_token).upload(image_id, body)

    first, second = alice.create(), alice.create()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        vouched = pool.submit(upload, identified.url, first)
        alone = pool.submit(upload, without.url, second)

    assert vouched.result().status == 204, vouched.result()
    assert alice.download(first).body == DATA * 2

    expired = Api(without.url, short_token).request("GET", f"/v2/images/{second}")
    answer = alone.result()
    assert answer.status == expired.status == 401
    assert answer.headers["WWW-Authenticate"] == expired.headers["WWW-Authenticate"]
    assert answer.body == expired.body
    assert alice.show(second)["status"] == "queued"
    assert not cloud.kept(second)
    assert alice.upload(second, DATA).status == 204

# SPDX-License-Identifier: Apache-2.0
"""A stand-alone gateway before a Glance that has show_multiple_locations off.

Downloads are the gateway's: it asks for locations as a service.  Uploads are Glance's.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support import tiers
from tests.support.clients.api import Api
from tests.support.people import ALICE
from tests.support.people import BOB
from tests.support.servers.cloud import Cloud
from tests.support.servers.glance import Config
from tests.support.servers.identity import token
from tests.support.servers.standalone import SERVICE_USER
from tests.support.servers.standalone import Gateway
from tests.support.servers.standalone import GatewaySpec

OFF: Config = {"DEFAULT": {"show_multiple_locations": "false"}}
DATA = bytes(range(256)) * 4096
#: Glance's rule for who may ask is another one in 30, in 31, and since 32.
RELEASES = [30, 31, 32, 33]


def before(cloud: Cloud, roles: tuple[str, ...] = ("service", "admin")) -> Gateway:
    """Return a gateway whose own user has some roles."""
    user = {**SERVICE_USER, "token": token("gateway", "service", *roles)}
    spec = GatewaySpec(config={**OFF, "service_user": user})
    return cloud.standalone(spec, config=OFF)


@pytest.mark.parametrize("release", tiers.but([30, 33], RELEASES))
def test_downloads_are_the_gateways(
    clouds: Callable[[int], Cloud], release: int
) -> None:
    gateway = before(clouds(release))
    api = Api(gateway.url, ALICE)
    image_id = api.create()
    assert api.upload(image_id, DATA).status == 204
    answer = api.download(image_id, Range="bytes=5-9")
    assert (answer.status, answer.body) == (206, DATA[5:10])
    # Stock Glance 30 answers ranges as well, but shows no validator.
    assert "ETag" in answer.headers, answer
    assert api.download(image_id).body == DATA
    assert "uploads are left to Glance" in gateway.log


def test_nobody_sees_more_than_glance_shows(cloud: Cloud) -> None:
    gateway = before(cloud)
    image_id = Api(gateway.url, ALICE).create()
    assert Api(gateway.url, ALICE).upload(image_id, DATA).status == 204
    assert "locations" not in Api(gateway.url, ALICE).show(image_id)
    bob = Api(gateway.url, BOB)
    assert bob.download(image_id).status == 404
    assert bob.request("GET", f"/v2/images/{image_id}/locations").status == 404
    alice = Api(gateway.url, ALICE)
    assert alice.request("GET", f"/v2/images/{image_id}/locations").status == 403


def test_a_user_without_the_roles_leaves_downloads_to_glance(cloud: Cloud) -> None:
    gateway = before(cloud, roles=("member",))
    api = Api(gateway.url, ALICE)
    image_id = api.create()
    assert api.upload(image_id, DATA).status == 204
    answer = api.download(image_id)
    assert (answer.status, answer.body) == (200, DATA)
    assert "ETag" not in answer.headers
    assert gateway.log.count("Give [service_user] the roles service and admin") == 1

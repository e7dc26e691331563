# SPDX-License-Identifier: Apache-2.0
"""The policy of the Glance behind a gateway, and whether ``check`` sees it."""

from __future__ import annotations

import pytest

from tests.support.clients.api import Api
from tests.support.people import ADMIN
from tests.support.people import ALICE
from tests.support.servers.cloud import Cloud
from tests.support.servers.glance import ROOT
from tests.support.servers.glance import Config
from tests.support.servers.manage import Manage
from tests.support.servers.standalone import GatewaySpec

POLICY = (ROOT / "etc" / "glance" / "policy.yaml").read_text()
SUBJECT = "Glance's policy"


def config(url: str, member: str) -> Config:
    user = {"auth_type": "admin_token", "endpoint": "http://127.0.0.1:9"}
    return {
        "s3gateway": {"glance_url": url},
        "service_user": {**user, "token": ADMIN},
        "check_user": {**user, "token": member} if member else {},
    }


@pytest.mark.parametrize(
    ("policy", "member", "state", "found"),
    [
        ("", ALICE, "error", "members may write locations"),
        (POLICY, ALICE, "ok", "members may write no location"),
        (POLICY, "", "note", "not tried"),
    ],
)
def test_check_tries_as_a_member(
    managed: Manage, policy: str, member: str, state: str, found: str
) -> None:
    stock = managed.cloud.glance(gateway=False, policy=policy)
    before = Api(stock.url, ALICE).request("GET", "/v2/images?limit=1000").json()
    checked = managed("check", config=config(stock.url, member))
    rows = [(row["state"], row["found"]) for row in checked.about(SUBJECT)]
    assert rows == [(state, found)]
    after = Api(stock.url, ALICE).request("GET", "/v2/images?limit=1000").json()
    assert after == before


def test_behind_a_gateway_members_write_no_location_and_upload_all_the_same(
    cloud: Cloud,
) -> None:
    spec = GatewaySpec(config={"s3gateway": {"register_as": "service"}})
    gateway = cloud.standalone(spec, policy=POLICY)
    api = Api(gateway.url, ALICE)
    image_id = api.create()
    assert api.upload(image_id, b"data").status == 204
    assert api.download(image_id).body == b"data"
    past = cloud.api(ALICE, gateway=False, policy=POLICY)
    url = f"s3://127.0.0.1/bucket/{image_id}"
    location = {"url": url, "metadata": {}}
    queued = past.create()
    for change in (
        {"op": "add", "path": "/locations/-", "value": location},
        {"op": "replace", "path": "/locations", "value": [location]},
    ):
        assert past.patch(queued, change).status == 403
    assert past.patch(image_id, {"op": "remove", "path": "/locations/0"}).status == 403
    assert api.delete(image_id).status == 204

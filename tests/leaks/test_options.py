# SPDX-License-Identifier: Apache-2.0
"""show_locations, mask_format, the policy rules, and the sweep."""

from __future__ import annotations

import pytest

from tests.support.clients.api import Api
from tests.support.people import ADMIN
from tests.support.people import ALICE
from tests.support.people import SERVICE
from tests.support.servers.cloud import Cloud
from tests.support.servers.standalone import GatewaySpec


def uploaded(url: str) -> str:
    """Upload an image through a gateway; return its id."""
    api = Api(url, ALICE)
    image_id = api.create()
    assert api.upload(image_id, b"data").status == 204
    return image_id


def gateway(cloud: Cloud, **options: str) -> str:
    """Return the URL of a gateway with other options."""
    return cloud.standalone(GatewaySpec(config={"s3gateway": options})).url


@pytest.mark.parametrize(
    ("show", "sees"),
    [
        ("masked", {ALICE: True, ADMIN: True, SERVICE: True}),
        ("admin", {ALICE: False, ADMIN: True, SERVICE: True}),
        ("never", {ALICE: False, ADMIN: False, SERVICE: False}),
    ],
)
def test_who_sees_locations(cloud: Cloud, show: str, sees: dict[str, bool]) -> None:
    url = gateway(cloud, show_locations=show)
    image_id = uploaded(url)
    for user, visible in sees.items():
        api = Api(url, user)
        listed = api.request("GET", f"/v2/images?id=in:{image_id}").json()["images"]
        for image in (api.show(image_id), *listed):
            assert ("locations" in image) is visible
            assert ("direct_url" in image) is visible
            assert image["stores"] == "fast"
            assert image["virtual_size"] == 4
        assert api.download(image_id).body == b"data"


def test_a_policy_file_of_our_own(cloud: Cloud) -> None:
    policy = cloud.write("s3gateway-policy.yaml", '"see_locations": "role:auditor"\n')
    url = gateway(cloud, show_locations="admin", policy_file=str(policy))
    image_id = uploaded(url)
    assert "locations" not in Api(url, ADMIN).show(image_id)
    auditor = Api(url, "ann:acme:auditor,member,reader")
    assert auditor.show(image_id)["locations"][0]["url"] == f"s3://fast/{image_id}"


def test_our_rules_in_glances_policy_file(cloud: Cloud) -> None:
    policy = '"manage_locations": "role:member"\n'
    url = cloud.glance(gateway=True, policy=policy).url
    image_id = uploaded(url)
    [location] = Api(url, ALICE).show(image_id)["locations"]
    location["metadata"]["note"] = "by the owner"
    change = {"op": "replace", "path": "/locations", "value": [location]}
    assert Api(url, ALICE).patch(image_id, change).status == 200


def test_another_mask(cloud: Cloud) -> None:
    url = gateway(cloud, mask_format="s3://{store}.images/{image_id}")
    image_id = uploaded(url)
    image = Api(url, ALICE).show(image_id)
    assert image["locations"][0]["url"] == f"s3://fast.images/{image_id}"
    assert image["direct_url"] == f"s3://fast.images/{image_id}"


def test_a_secret_key_never_leaves_whatever_holds_it(cloud: Cloud) -> None:
    """Here a user has put it into a property; the sweep takes it out."""
    running = cloud.glance(gateway=True)
    api = Api(running.url, ALICE)
    note = f"the key is {cloud.s3.secret_key}, do not tell"
    image_id = api.create(note=note)
    image = api.show(image_id)
    assert image["note"] == "the key is REDACTED, do not tell"
    lines = [
        line for line in running.log.splitlines() if "Removed a secret key" in line
    ]
    assert any(f"GET /v2/images/{image_id}" in line for line in lines)
    assert cloud.s3.secret_key not in running.log
    stock = cloud.api(ALICE, gateway=False).show(image_id)
    assert stock["note"] == note

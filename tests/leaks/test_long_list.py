# SPDX-License-Identifier: Apache-2.0
"""A page of a thousand images, each of which stock wrote."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable

import pytest

from tests.support import tiers
from tests.support.hidden import hidden
from tests.support.people import ALICE
from tests.support.servers.cloud import Cloud
from tests.support.servers.rows import multiply

COUNT = 1000


@pytest.mark.parametrize("release", tiers.but([30], [30, 33]))
def test_a_thousand_images(clouds: Callable[[int], Cloud], release: int) -> None:
    """One is uploaded, the others are copies of its rows in Glance's database."""
    cloud = clouds(release)
    stock = cloud.api(ALICE, gateway=False)
    image_id = stock.create(name="one of many", tags=["thousand"])
    assert stock.upload(image_id, b"written by stock").status == 204
    multiply(cloud.sql, image_id, [str(uuid.uuid4()) for _ in range(COUNT - 1)])
    page = "/v2/images?limit=1000&tag=thousand"
    leaked = stock.request("GET", page)
    answer = cloud.api(ALICE, gateway=True).request("GET", page)
    secrets = hidden(cloud)
    assert "host" in secrets.found_in_answer(leaked)
    assert not secrets.found_in_answer(answer)
    images = answer.json()["images"]
    assert len(images) == COUNT
    for image in images:
        masked = f"s3://fast/{image['id']}"
        assert [location["url"] for location in image["locations"]] == [masked]
        assert image["direct_url"] == masked
    theirs = {image["id"]: image for image in leaked.json()["images"]}
    for image in images:
        other = dict(theirs[image["id"]])
        for field in ("locations", "direct_url"):
            other.pop(field)
            image.pop(field)
        assert json.dumps(image) == json.dumps(other)

# SPDX-License-Identifier: Apache-2.0
"""A page of a thousand images, each of which stock wrote."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable

import pytest

from tests.leaks.surfaces import ALICE
from tests.leaks.test_surfaces import hidden
from tests.support.cloud import Cloud

COUNT = 1000


@pytest.mark.parametrize("release", [30, 33])
def test_a_thousand_images(clouds: Callable[[int], Cloud], release: int) -> None:
    """One is uploaded, the others are copies of its rows in Glance's database."""
    cloud = clouds(release)
    stock = cloud.api(ALICE, gateway=False)
    image_id = stock.create(name="one of many", tags=["thousand"])
    assert stock.upload(image_id, b"written by stock").status == 204
    multiply(cloud, image_id, [str(uuid.uuid4()) for _ in range(COUNT - 1)])
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


def multiply(cloud: Cloud, image_id: str, copies: list[str]) -> None:
    """Copy an image's rows in Glance's database, under other ids."""
    for table, owner in (
        ("images", "id"),
        ("image_locations", "image_id"),
        ("image_tags", "image_id"),
    ):
        names = cloud.sql(
            "SELECT column_name FROM information_schema.columns WHERE "  # noqa: S608
            f"table_schema = DATABASE() AND table_name = '{table}'"
        ).split()
        columns = [f"`{name}`" for name in names if name != "id" or owner == "id"]
        values = [_value(column, owner, image_id) for column in columns]
        for start in range(0, len(copies), 200):
            rows = " UNION ALL ".join(
                f"SELECT '{copy}' AS made" for copy in copies[start : start + 200]
            )
            cloud.sql(
                f"INSERT INTO {table} ({', '.join(columns)}) "  # noqa: S608
                f"SELECT {', '.join(values)} FROM {table}, ({rows}) AS copies "
                f"WHERE `{owner}` = '{image_id}'"
            )


def _value(column: str, owner: str, image_id: str) -> str:
    if column == f"`{owner}`":
        return "made"
    if column == "`value`":  # of a location or tag
        return f"REPLACE(`value`, '{image_id}', made)"
    return column

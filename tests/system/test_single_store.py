# SPDX-License-Identifier: Apache-2.0
"""The old form of the configuration: one S3 store in ``[glance_store]``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support import tiers
from tests.support.clients.api import Api
from tests.support.clients.api import in_chunks
from tests.support.hidden import Hidden
from tests.support.people import ADMIN
from tests.support.people import ALICE
from tests.support.people import BOB
from tests.support.servers import glance
from tests.support.servers.cloud import Cloud

MIB = 1024**2
DATA = bytes(range(251)) * (9 * MIB // 251)


class Single:
    """A stock Glance, and one with the filter, that know one store."""

    def __init__(self, cloud: Cloud) -> None:
        store = glance.s3_store(cloud.s3, cloud.bucket("fast"))
        config = {
            "DEFAULT": {"enabled_backends": ""},
            "glance_store": {"stores": "s3, file", "default_store": "s3", **store},
        }
        self.cloud = cloud
        self.stock = cloud.glance(gateway=False, config=config).url
        self.gateway = cloud.glance(gateway=True, config=config).url
        self.hidden = Hidden(
            access_key=cloud.s3.access_key,
            secret_key=cloud.s3.secret_key,
            host=cloud.s3.endpoint.partition("//")[2],
            bucket=cloud.bucket("fast"),
        )


@pytest.fixture(params=tiers.but([30], [30, 33]))
def single(clouds: Callable[[int], Cloud], request: pytest.FixtureRequest) -> Single:
    return Single(clouds(request.param))


def test_each_reads_what_the_other_wrote(single: Single) -> None:
    stock, gateway = Api(single.stock, ALICE), Api(single.gateway, ALICE)
    for writer, reader in ((stock, gateway), (gateway, stock)):
        image_id = writer.create()
        assert writer.upload(image_id, in_chunks(DATA)).status == 204
        image = reader.show(image_id)
        assert (image["status"], image["size"]) == ("active", len(DATA))
        assert reader.download(image_id).body == DATA
        assert reader.delete(image_id).status == 204
        assert image_id not in "".join(single.cloud.objects("fast"))


def test_nothing_is_given_away(single: Single) -> None:
    stock, admin = Api(single.stock, ALICE), Api(single.stock, ADMIN)
    image_id = stock.create(name="public")
    assert stock.upload(image_id, b"written by stock").status == 204
    public = {"op": "replace", "path": "/visibility", "value": "public"}
    assert admin.patch(image_id, public).status == 200

    def seen(url: str, user: str) -> list[str]:
        api = Api(url, user)
        rename: dict[str, Any] = {"op": "add", "path": "/note", "value": "x"}
        return [
            found
            for answer in (
                api.request("GET", f"/v2/images/{image_id}"),
                api.request("GET", f"/v2/images?limit=1000&id=in:{image_id}"),
                api.patch(image_id, rename),
            )
            for found in single.hidden.found_in_answer(answer)
        ]

    leaked = seen(single.stock, ADMIN)
    assert "host" in leaked
    assert ("secret_key" in leaked) is (single.cloud.release <= 32)
    for user in (ALICE, BOB, ADMIN):
        assert not seen(single.gateway, user)
    url = Api(single.gateway, ALICE).show(image_id)["locations"][0]["url"]
    assert url == f"s3://s3/{image_id}"

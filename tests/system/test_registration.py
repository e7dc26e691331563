# SPDX-License-Identifier: Apache-2.0
"""Faults in registration through the API: the image decides about the end state."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support import tiers
from tests.support.clients.api import Api
from tests.support.clients.api import Response
from tests.support.people import ALICE
from tests.support.servers.cloud import Cloud

DATA = b"uploaded through the gateway" * 1000


@pytest.fixture
def upload(cloud: Cloud) -> Callable[[str], tuple[Api, str, Response]]:
    def upload(fault: str) -> tuple[Api, str, Response]:
        config = {"s3gateway": {"registration": "api"}}
        api = cloud.api(ALICE, gateway=True, faults=True, config=config)
        image_id = api.create()
        return api, image_id, api.upload(image_id, DATA, X_Test_Fault=fault)

    return upload


@pytest.mark.parametrize(
    ("fault", "status"),
    tiers.but(
        [("status 503", 500), ("status 401", 401), ("dies before", 500)],
        [
            ("status 500", 500),
            ("status 503", 500),  # 503 would have a client send its used up body again
            ("status 400", 500),
            ("status 413", 413),
            ("status 401", 401),
            ("status 403", 403),
            ("dies before", 500),
        ],
    ),
)
def test_not_registered(
    cloud: Cloud,
    upload: Callable[[str], tuple[Api, str, Response]],
    fault: str,
    status: int,
) -> None:
    api, image_id, answer = upload(fault)
    assert answer.status == status
    assert api.show(image_id)["status"] == "queued"
    assert not cloud.kept(image_id)
    assert api.upload(image_id, DATA).status == 204
    assert api.download(image_id).body == DATA


@pytest.mark.parametrize(
    "fault",
    tiers.but(
        ["applied 500", "dies after"],
        ["applied 500", "applied 503", "applied 409", "dies after", "slow 1"],
    ),
)
def test_registered_whatever_the_answer_was(
    cloud: Cloud, upload: Callable[[str], tuple[Api, str, Response]], fault: str
) -> None:
    api, image_id, answer = upload(fault)
    assert answer.status == 204
    assert api.show(image_id)["status"] == "active"
    assert api.download(image_id).body == DATA
    assert len(cloud.kept(image_id)) == 1


def test_a_stock_upload_won(
    cloud: Cloud, upload: Callable[[str], tuple[Api, str, Response]]
) -> None:
    api, image_id, answer = upload("stock uploaded by stock")
    assert answer.status == 409
    assert api.download(image_id).body == b"uploaded by stock"
    assert cloud.kept(image_id) == [image_id]


def test_the_image_was_deleted_meanwhile(
    cloud: Cloud, upload: Callable[[str], tuple[Api, str, Response]]
) -> None:
    api, image_id, answer = upload("deleted")
    assert answer.status == 410
    assert b"may have been deleted during the upload" in answer.body
    assert api.request("GET", f"/v2/images/{image_id}").status == 404
    assert not cloud.kept(image_id)


def test_glance_took_another_store_for_it(
    cloud: Cloud, upload: Callable[[str], tuple[Api, str, Response]]
) -> None:
    """The uploaded bytes are at the image's location."""
    api, image_id, answer = upload("restored cheap")
    assert answer.status == 204
    assert api.show(image_id)["stores"] == "fast"
    assert api.download(image_id).body == DATA


@pytest.mark.parametrize(
    "fault", tiers.but(["status 504"], ["status 502", "status 504"])
)
def test_what_a_proxy_says_is_not_believed(
    cloud: Cloud, upload: Callable[[str], tuple[Api, str, Response]], fault: str
) -> None:
    """Glance may still be at it: the object stays, and so does the claim."""
    api, image_id, answer = upload(fault)
    assert answer.status == 500
    assert api.show(image_id)["status"] == "queued"
    kept = cloud.kept(image_id)
    assert [key for key in kept if key.startswith(f"{image_id}.")]
    assert f".s3gateway/{image_id}" in kept
    for key in kept:
        cloud.s3.client().delete_object(Bucket=cloud.bucket("fast"), Key=key)

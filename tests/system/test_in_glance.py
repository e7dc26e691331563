# SPDX-License-Identifier: Apache-2.0
"""The filter in Glance's own process: it needs one line in the paste file."""

from __future__ import annotations

import random
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import formats
from tests.support.clients.api import Api
from tests.support.clients.api import in_chunks
from tests.support.faults.through import Through
from tests.support.faults.through import through_proxy
from tests.support.people import ALICE
from tests.support.people import BOB
from tests.support.servers.cloud import Cloud

SMALL = b"some data"
LARGE = random.Random(4).randbytes(17 * 1024**2)  # noqa: S311  four parts
#: As the documents that this project starts from advise, and as Glance has it.
AS_IT_IS = {"show_multiple_locations": "false", "show_image_direct_url": "false"}


@pytest.fixture(scope="module", params=[33, 30])
def cloud(request: pytest.FixtureRequest, clouds: Callable[[int], Cloud]) -> Cloud:
    return clouds(request.param)


def how(cloud: Cloud, **more: str) -> dict[str, Any]:
    wsgi = "gunicorn" if cloud.release >= 31 else "eventlet"
    return {"wsgi": wsgi, "config": {"DEFAULT": {**AS_IT_IS, **more}}}


@pytest.fixture(scope="module")
def api(cloud: Cloud) -> Api:
    return Api(cloud.glance(gateway=True, **how(cloud)).url, ALICE)


@pytest.fixture(scope="module")
def through(cloud: Cloud) -> Iterator[Through]:
    wsgi = how(cloud)
    with through_proxy(cloud, ALICE, config=wsgi["config"], wsgi=wsgi["wsgi"]) as found:
        yield found


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
def test_locations_are_not_shown_and_data_is_the_gateways(
    cloud: Cloud, api: Api, data: bytes
) -> None:
    image_id = api.create(disk_format="raw")
    assert api.upload(image_id, in_chunks(data)).status == 204
    shown = api.show(image_id)
    assert shown["status"] == "active"
    assert shown["virtual_size"] == len(data)
    assert not {"locations", "direct_url"} & set(shown)
    [key] = [key for key in cloud.objects("fast") if image_id in key]
    assert key != image_id  # the gateway's, not stock's
    ranged = api.download(image_id, Range="bytes=2-5")
    assert (ranged.status, ranged.body) == (206, data[2:6])
    stock = cloud.api(ALICE, gateway=False)
    assert stock.download(image_id).body == data
    assert api.delete(image_id).status == 204
    assert not cloud.kept(image_id)


def test_nobody_writes_a_location(api: Api) -> None:
    image_id = api.create()
    value = {"url": "s3://somewhere/bucket/key", "metadata": {}}
    change = {"op": "add", "path": "/locations/-", "value": value}
    assert api.patch(image_id, change).status == 403


def test_a_small_upload_is_one_request_and_a_download_too(through: Through) -> None:
    image_id = through.api.create()
    through.api.upload(through.api.create(), SMALL)  # what is asked once
    before = len(through.proxy.requests)
    assert through.api.upload(image_id, SMALL).status == 204
    assert through.api.download(image_id).body == SMALL
    asked = through.proxy.requests[before:]
    assert [request.method for request in asked] == ["PUT", "GET"]


def test_members_and_strangers(cloud: Cloud, api: Api) -> None:
    """Glance decides about rights, and its own text is the answer."""
    image_id = api.create(visibility="shared")
    assert api.upload(image_id, SMALL).status == 204
    for status, bob in (
        (404, Api(api.url, BOB)),
        (404, cloud.api(BOB, gateway=False)),
    ):
        assert bob.download(image_id).status == status
        assert bob.upload(image_id, SMALL).status == status
    assert api.upload(image_id, SMALL).status == 409


def test_a_refused_image_can_be_uploaded_again(cloud: Cloud, api: Api) -> None:
    """Stock keeps location and digests of what it has refused."""
    image_id = api.create(disk_format="qcow2")
    assert api.upload(image_id, SMALL).status == 415
    shown = api.show(image_id)
    assert (shown["status"], shown["checksum"]) == ("queued", None)
    assert not cloud.kept(image_id)
    good = formats.qcow2()
    assert api.upload(image_id, good).status == 204
    assert api.download(image_id).body == good


def test_an_upload_that_the_store_refuses_leaves_the_image_queued(
    through: Through,
) -> None:
    from tests.support.faults import s3_faults

    image_id = through.api.create()
    fault = s3_faults.Answer(403, "AccessDenied")
    through.proxy.add(fault, method="PUT", key=image_id, times=None)
    assert through.api.upload(image_id, SMALL).status >= 500
    through.proxy.clear()
    assert through.api.show(image_id)["status"] == "queued"
    assert not through.left(image_id)
    assert through.api.upload(image_id, SMALL).status == 204


def test_the_api_way_can_be_had(cloud: Cloud) -> None:
    options = how(cloud, show_multiple_locations="true")
    options["config"]["s3gateway"] = {"registration": "api"}
    glance = cloud.glance(gateway=True, **options)
    assert "through Glance's API, as configured" in glance.log
    api = Api(glance.url, ALICE)
    image_id = api.create()
    assert api.upload(image_id, SMALL).status == 204
    assert api.download(image_id).body == SMALL

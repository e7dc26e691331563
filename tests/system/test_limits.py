# SPDX-License-Identifier: Apache-2.0
"""Unified limits in a real Keystone: the gateway answers as stock does."""

from __future__ import annotations

import uuid

import pytest

from tests.support.clients.api import Api
from tests.support.clients.api import in_chunks
from tests.support.s3.memory import MIB
from tests.support.servers import limits
from tests.support.servers.cloud import Cloud
from tests.support.servers.keystone import Keystone
from tests.support.servers.standalone import Gateway

pytestmark = pytest.mark.full

SMALL = bytes(1000)


@pytest.fixture
def both(cloud: Cloud, identified: Gateway, keystone: Keystone) -> list[Api]:
    """A new user in a new project, at stock Glance and at a gateway."""
    limits.register(keystone)
    how = {"config": limits.options(keystone)}
    gateway = cloud.identified(keystone, {"service_user": keystone.section()}, **how)
    config = {**keystone.authtoken(), **limits.options(keystone)}
    stock = cloud.glance(gateway=False, keystone=True, config=config)
    token = keystone.token(keystone.newcomer(uuid.uuid4().hex))
    return [Api(stock.url, token), Api(gateway.url, token)]


def test_uploads_over_a_limit_are_refused_as_stock_does(
    both: list[Api], keystone: Keystone
) -> None:
    for api in both:
        assert api.upload(api.create(), bytes(3 * MIB)).status == 204
    limits.register(keystone, image_size_total=2)
    for body in (SMALL, in_chunks(SMALL)):
        answers = []
        for api in both:
            image_id = api.create()
            sent = body if isinstance(body, bytes) else in_chunks(SMALL)
            answers.append(api.upload(image_id, sent))
            assert api.show(image_id)["status"] == "queued"
        assert [answer.status for answer in answers] == [413, 413]
        assert answers[0].body == answers[1].body
    limits.register(keystone)
    for api in both:
        assert api.upload(api.create(), SMALL).status == 204
    limits.register(keystone, image_count_uploading=0)
    answers = [api.upload(api.create(), SMALL) for api in both]
    assert [answer.status for answer in answers] == [413, 413]
    limits.register(keystone)


def test_downloads_and_usage_are_not_limited(
    both: list[Api], keystone: Keystone
) -> None:
    gateway = both[1]
    image_id = gateway.create()
    assert gateway.upload(image_id, SMALL).status == 204
    limits.register(keystone, image_size_total=0, image_count_total=0)
    assert gateway.download(image_id).body == SMALL
    usage = [api.request("GET", "/v2/info/usage").json() for api in both]
    assert usage[0] == usage[1]
    limits.register(keystone)

# SPDX-License-Identifier: Apache-2.0
"""Glance's own image cache, with the filter behind it."""

from __future__ import annotations

import contextlib
import random
import re
import time
from collections.abc import Callable

import pytest

from tests.support import tiers
from tests.support.clients.api import Api
from tests.support.faults import s3_faults
from tests.support.faults.through import received
from tests.support.faults.through import through_proxy
from tests.support.people import ADMIN
from tests.support.people import ALICE
from tests.support.servers.cloud import Cloud

MIB = 1024**2
DATA = random.Random(6).randbytes(3_000_000)  # noqa: S311
LARGE = bytes(48 * MIB)


@pytest.mark.parametrize("hot", tiers.but([False], [False, True]))
@pytest.mark.parametrize("wsgi", tiers.but(["gunicorn"], ["gunicorn", "uwsgi"]))
def test_a_miss_fills_it_and_a_hit_is_served(
    cloud: Cloud, wsgi: str, hot: bool
) -> None:
    """The second download comes when S3 is away."""
    flavor = "keystone+cachemanagement"
    options = cloud.hot_images() if hot else {}
    with through_proxy(
        cloud, ALICE, wsgi=wsgi, flavor=flavor, options=options
    ) as through:
        image_id = through.api.create()
        assert through.api.upload(image_id, DATA).status == 204
        assert received(through.api, image_id) == (DATA, True)
        assert cached(through.api, image_id)
        through.proxy.down()
        assert received(through.api, image_id) == (DATA, True)
        through.proxy.up()


def test_clients_that_go_away_leave_nothing_in_memory(cloud: Cloud) -> None:
    """The cache filter does not close what it reads from."""
    metrics = {"/metrics": "use = egg:s3gateway#metrics"}
    how = {"flavor": "keystone+cachemanagement", "apps": metrics}
    with through_proxy(cloud, ALICE, **how) as through:
        image_id = through.api.create()
        assert through.api.upload(image_id, LARGE).status == 204
        through.proxy.add(s3_faults.Rate(24 * MIB), key=image_id, times=None)
        with contextlib.ExitStack() as stack:
            for _ in range(4):
                client = stack.enter_context(through.api.connect())
                client.sendall(
                    f"GET /v2/images/{image_id}/file HTTP/1.1\r\nHost: glance\r\n"
                    f"X-Auth-Token: {ALICE}\r\n\r\n".encode()
                )
                assert client.recv(1024)
            through.api.wait_until(image_id, lambda _: in_memory(through.api) > 0)
        through.api.wait_until(image_id, lambda _: in_memory(through.api) == 0)
        through.proxy.clear()


@pytest.mark.full
@pytest.mark.parametrize("release", [30, 33])
def test_the_prefetcher_reads_what_the_gateway_stored(
    clouds: Callable[[int], Cloud], release: int
) -> None:
    """It is Glance's own driver that reads here."""
    flavor = "keystone+cachemanagement"
    config = {"DEFAULT": {"cache_prefetcher_interval": "1"}}
    with through_proxy(clouds(release), ALICE, flavor=flavor, config=config) as through:
        image_id = through.api.create()
        assert through.api.upload(image_id, DATA).status == 204
        admin = Api(through.api.url, ADMIN)
        assert admin.request("PUT", f"/v2/cache/{image_id}").status == 202
        deadline = time.monotonic() + 60
        while not cached(through.api, image_id):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        through.proxy.down()
        assert received(through.api, image_id) == (DATA, True)
        through.proxy.up()


def in_memory(api: Api) -> float:
    """Return how many bytes downloads have in memory."""
    text = api.request("GET", "/metrics").body.decode()
    found = re.search(
        r'^s3gateway_buffer_bytes{operation="download"} (.*)$', text, re.M
    )
    return float(found[1]) if found else 0.0


def cached(api: Api, image_id: str) -> bool:
    """Whether an image is in the cache."""
    images = Api(api.url, ADMIN).request("GET", "/v2/cache").json()["cached_images"]
    return image_id in [image["image_id"] for image in images]

# SPDX-License-Identifier: Apache-2.0
"""The main job, end to end, on every server and release it must work on."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable

import pytest

from tests.support import tiers
from tests.support.clients.api import Api
from tests.support.clients.api import in_chunks
from tests.support.servers.cloud import Cloud
from tests.support.servers.identity import token

ALICE = token("alice", "acme", "member", "reader")
MIB = 1024**2

#: A stand-alone gateway under gunicorn, in front of stock Glance under gunicorn.
STAND_ALONE = "stand-alone"

SHAPES = [
    (33, "gunicorn", "keystone"),
    (33, "uwsgi", "keystone"),
    (33, "gunicorn", "keystone+cachemanagement"),
    (33, "uwsgi", "keystone+cachemanagement"),
    (30, "gunicorn", "keystone"),
    (30, "eventlet", "keystone"),
    (33, STAND_ALONE, "keystone"),
]
FRAMINGS = ["length", "chunked"]
WAYS = [(*shape, framing) for shape in SHAPES for framing in FRAMINGS]
#: In both framings where the body comes another way; else in chunks, as the glance
#: command uploads.  DevStack's flavor is under its uWSGI, Glance 30 under eventlet.
ALWAYS = [
    (33, "gunicorn", "keystone", "length"),
    (33, "gunicorn", "keystone", "chunked"),
    (33, "uwsgi", "keystone", "length"),
    (33, "uwsgi", "keystone+cachemanagement", "chunked"),
    (30, "eventlet", "keystone", "chunked"),
    (33, STAND_ALONE, "keystone", "chunked"),
]


def content(size: int) -> bytes:
    """Return bytes that do not repeat, the same for the same size."""
    return random.Random(size).randbytes(size)  # noqa: S311


@pytest.mark.parametrize(
    ("release", "wsgi", "flavor", "framing"), tiers.but(ALWAYS, WAYS)
)
@pytest.mark.parametrize(
    "size", tiers.but([17 * MIB + 3], [1, 4 * MIB + 1, 17 * MIB + 3])
)
def test_upload_download_delete(
    clouds: Callable[[int], Cloud],
    release: int,
    wsgi: str,
    flavor: str,
    framing: str,
    size: int,
) -> None:
    cloud = clouds(release)
    if wsgi == STAND_ALONE:
        api = Api(cloud.standalone().url, ALICE)
    else:
        api = cloud.api(ALICE, gateway=True, wsgi=wsgi, flavor=flavor)
    stock = cloud.api(ALICE, gateway=False)
    data = content(size)
    image_id = api.create(name="main way")

    answer = api.upload(image_id, in_chunks(data) if framing == "chunked" else data)
    assert answer.status == 204, answer

    image = api.show(image_id)
    assert image["status"] == "active"
    assert image["size"] == image["virtual_size"] == size
    assert image["checksum"] == hashlib.md5(data, usedforsecurity=False).hexdigest()
    assert image["os_hash_algo"] == "sha512"
    assert image["os_hash_value"] == hashlib.sha512(data).hexdigest()
    assert image["stores"] == "fast"
    assert image["locations"] == [
        {"url": f"s3://fast/{image_id}", "metadata": {"store": "fast"}}
    ]

    # twice: in the caching flavor the second answer is the cache's
    for _ in range(2):
        answer = api.download(image_id)
        assert answer.status == 200
        assert answer.body == data

    keys = [key for key in cloud.objects("fast") if key.startswith(image_id)]
    assert len(keys) == 1
    assert stock.download(image_id).body == data

    assert stock.delete(image_id).status == 204
    assert not [key for key in cloud.objects("fast") if key.startswith(image_id)]
    assert image_id not in "".join(cloud.uploads("fast"))

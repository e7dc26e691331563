# SPDX-License-Identifier: Apache-2.0
"""Features of downloads that stock Glance lacks, at the API of a real Glance."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable

import pytest

from tests.support.clients.api import Api
from tests.support.people import ADMIN
from tests.support.people import ALICE
from tests.support.servers.cloud import Cloud

DATA = random.Random(4).randbytes(100_000)  # noqa: S311
ETAG = f'"{hashlib.sha512(DATA).hexdigest()}"'
LONG_AGO = "Mon, 01 Jan 2001 00:00:00 GMT"
SIZE = len(DATA)


SHAPES = [(33, "gunicorn"), (33, "uwsgi"), (30, "gunicorn")]
ALWAYS = [(33, "gunicorn"), (30, "gunicorn")]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(shape, marks=() if shape in ALWAYS else pytest.mark.full)
        for shape in SHAPES
    ],
    ids=str,
)
def api(clouds: Callable[[int], Cloud], request: pytest.FixtureRequest) -> Api:
    release, wsgi = request.param
    return clouds(release).api(ALICE, gateway=True, wsgi=wsgi)


@pytest.fixture(scope="module")
def image_id(api: Api) -> str:
    """An image that is only read."""
    image_id = api.create()
    assert api.upload(image_id, DATA).status == 204
    return image_id


def test_what_a_whole_image_says_of_itself(api: Api, image_id: str) -> None:
    for answer in (
        api.download(image_id),
        api.request("HEAD", f"/v2/images/{image_id}/file"),
    ):
        assert answer.status == 200
        assert answer.headers["Accept-Ranges"] == "bytes"
        assert answer.headers["ETag"] == ETAG
        assert answer.headers["Content-Length"] == str(SIZE)
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["Content-MD5"] == hashlib.md5(DATA).hexdigest()  # noqa: S324
        assert "Last-Modified" in answer.headers


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-", 10, SIZE),
        ("bytes=-10", SIZE - 10, SIZE),
        ("bytes=0-999999999", 0, SIZE),
        ("bytes=-999999999", 0, SIZE),
        ("bytes=70000-80000", 70000, 80001),
    ],
)
def test_a_range(api: Api, image_id: str, asked: str, start: int, stop: int) -> None:
    answer = api.download(image_id, Range=asked)
    assert answer.status == 206
    assert answer.body == DATA[start:stop]
    assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{SIZE}"
    assert answer.headers["Content-Length"] == str(stop - start)
    assert answer.headers["ETag"] == ETAG


def test_a_range_behind_the_end(api: Api, image_id: str) -> None:
    answer = api.download(image_id, Range=f"bytes={SIZE}-")
    assert answer.status == 416
    assert answer.headers["Content-Range"] == f"bytes */{SIZE}"


def test_the_content_range_of_old_clients(api: Api, image_id: str) -> None:
    answer = api.download(image_id, Content_Range=f"bytes 5-9/{SIZE}")
    assert answer.status == 206
    assert answer.body == DATA[5:10]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If_None_Match": ETAG}, 304),
        ({"If_None_Match": "*"}, 304),
        ({"If_None_Match": '"another"'}, 200),
        ({"If_Modified_Since": LONG_AGO}, 200),
        ({"If_Unmodified_Since": LONG_AGO}, 412),
        ({"If_Match": ETAG}, 200),
        ({"If_Match": '"another"'}, 412),
        ({"If_Range": ETAG, "Range": "bytes=0-9"}, 206),
        ({"If_Range": '"another"', "Range": "bytes=0-9"}, 200),
        ({"If_Range": LONG_AGO, "Range": "bytes=0-9"}, 200),
    ],
    ids=str,
)
def test_a_condition(
    api: Api, image_id: str, headers: dict[str, str], status: int
) -> None:
    answer = api.download(image_id, **headers)
    assert answer.status == status
    assert answer.body == {200: DATA, 206: DATA[:10], 304: b""}.get(status, answer.body)


def test_not_modified_since_it_was_told(api: Api, image_id: str) -> None:
    told = api.download(image_id).headers["Last-Modified"]
    assert api.download(image_id, If_Modified_Since=told).status == 304


@pytest.mark.parametrize("release", [30, 33])
def test_a_preferred_store(clouds: Callable[[int], Cloud], release: int) -> None:
    """The copies are made to differ, so that it shows which one was read."""
    cloud = clouds(release)
    api, admin = (cloud.api(user, gateway=True) for user in (ALICE, ADMIN))
    image_id = api.create()
    api.upload(image_id, DATA)
    admin.copy(image_id, "cheap")
    [key] = [key for key in cloud.objects("cheap") if image_id in key]
    other = bytes(SIZE)
    cloud.s3.client().put_object(Bucket=cloud.bucket("cheap"), Key=key, Body=other)
    assert api.download(image_id).body == DATA
    preferred = other if release >= 33 else DATA
    assert api.download(image_id, "?prefer=cheap").body == preferred
    assert api.download(image_id, "?prefer=fast").body == DATA
    part = api.download(image_id, "?prefer=cheap", Range="bytes=4-7")
    assert part.body == preferred[4:8]


def test_the_next_location_takes_over(cloud: Cloud) -> None:
    """Stock does so only as long as nothing was sent."""
    api, admin = (cloud.api(user, gateway=True) for user in (ALICE, ADMIN))
    image_id = api.create()
    api.upload(image_id, DATA)
    admin.copy(image_id, "cheap")
    for key in cloud.objects("fast"):
        if image_id in key:
            cloud.s3.client().delete_object(Bucket=cloud.bucket("fast"), Key=key)
    assert api.download(image_id).body == DATA
    assert api.download(image_id, Range="bytes=4-7").body == DATA[4:8]

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from typing import Any

import pytest

from s3gateway.http.wsgi import Answer
from s3gateway.locations.answers import Masking
from s3gateway.locations.documents import Masks
from s3gateway.locations.redaction import Sweep
from s3gateway.uris import Mask
from tests.support.s3.memory import store_settings

ID = "6f2c0000-0000-4000-8000-000000000001"
STORES = {
    "fast": store_settings("fast", endpoint="http://10.0.0.1:9000", bucket="glance-f"),
    "cheap": store_settings("cheap", endpoint="https://s3.example", bucket="glance-c"),
}
MASKS = Masks(STORES, Mask())
MASKING = Masking(MASKS, Sweep(list), lambda environ: True)
REQUEST = {"REQUEST_METHOD": "GET", "PATH_INFO": "/v2/images"}


def mask(body: bytes) -> bytes:
    answer = Answer("200 OK", [("Content-Type", "application/json")], [body])
    return MASKING.apply(REQUEST, answer).read()


def masked(document: Any) -> Any:
    return json.loads(mask(json.dumps(document).encode()))


def image(*locations: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"id": ID, "virtual_size": None, "locations": list(locations), **fields}


@pytest.mark.parametrize(
    ("url", "metadata", "expected"),
    [
        (f"s3://10.0.0.1:9000/glance-f/{ID}", {"store": "fast"}, f"s3://fast/{ID}"),
        (f"s3://10.0.0.1:9000/glance-f/{ID}", {}, f"s3://fast/{ID}"),
        (
            f"s3+https://AK:s/+=@cr@s3.example/glance-c/{ID}.0123456789abcdef",
            {"store": "cheap"},
            f"s3://cheap/{ID}",
        ),
        (f"s3://AK:SK@elsewhere/bucket/{ID}", {"store": "old"}, f"s3://old/{ID}"),
        (f"s3://AK:SK@elsewhere/bucket/{ID}", {}, f"s3://unknown/{ID}"),
        ("s3://not/parsable", {}, f"s3://unknown/{ID}"),
        (f"s3://fast/{ID}", {"store": "fast"}, f"s3://fast/{ID}"),
    ],
)
def test_locations(url: str, metadata: dict[str, str], expected: str) -> None:
    shown = masked(image({"url": url, "metadata": metadata}, direct_url=url))
    assert shown["locations"] == [{"url": expected, "metadata": metadata}]
    if metadata:
        return
    assert shown["direct_url"] == expected


@pytest.mark.parametrize(
    "url",
    [
        "rbd://fsid/images/id/snap",
        "cinder://ceph/volume",
        "file:///var/lib/glance/images/s3",
        "http://mirror.example/s3.img",
        "swift+config://ref1/container/object",
    ],
)
def test_other_schemes_stay_byte_for_byte(url: str) -> None:
    body = json.dumps(image({"url": url, "metadata": {"store": "s3"}})).encode()
    assert mask(body) == body


def test_masking_twice_is_masking_once() -> None:
    url = f"s3://AK:SK@10.0.0.1:9000/glance-f/{ID}"
    once = mask(json.dumps(image({"url": url, "metadata": {}})).encode())
    assert mask(once) == once


def test_virtual_size_is_laid_over_and_its_place_is_not_shown() -> None:
    metadata = {"store": "fast", "s3gateway_virtual_size": "4711"}
    url = f"s3://10.0.0.1:9000/glance-f/{ID}"
    shown = masked(image({"url": url, "metadata": metadata}))
    assert shown["virtual_size"] == 4711
    assert shown["locations"][0]["metadata"] == {"store": "fast"}


def test_a_virtual_size_of_glances_own_stays() -> None:
    metadata = {"s3gateway_virtual_size": "4711"}
    url = f"s3://10.0.0.1:9000/glance-f/{ID}"
    shown = masked(image({"url": url, "metadata": metadata}, virtual_size=5))
    assert shown["virtual_size"] == 5


def test_uris_inside_of_texts() -> None:
    message = f"Original locations is not empty: [{{'url': 's3://AK:SK@h/b/{ID}'}}]"
    assert masked({"message": message})["message"] == (
        f"Original locations is not empty: [{{'url': 's3://unknown/{ID}'}}]"
    )


def test_lists_of_images() -> None:
    url = f"s3://AK:SK@10.0.0.1:9000/glance-f/{ID}"
    location = {"url": url, "metadata": {"store": "fast"}}
    shown = masked({"images": [image(location), image()], "first": "/v2/images"})
    assert "SK" not in json.dumps(shown)
    assert shown["images"][1] == image()


def test_the_length_follows_the_body_and_others_pass_unread() -> None:
    url = f"s3://AK:SK@10.0.0.1:9000/glance-f/{ID}"
    body = json.dumps(image({"url": url, "metadata": {}})).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", "999")]
    answer = MASKING.apply(REQUEST, Answer("200 OK", headers, [body]))
    assert answer.header("Content-Length") == str(len(answer.read()))

    class Unread:
        def __iter__(self) -> Any:
            raise AssertionError

    headers = [("Content-Type", "application/octet-stream")]
    data = Answer("200 OK", headers, Unread())
    assert MASKING.apply(REQUEST, data) == data

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import html
import json
from typing import Any

import pytest

from s3gateway.config.keys import KeyPair
from s3gateway.errors import GlanceError
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


def mask(body: bytes, path: str = "/v2/images", status: str = "200 OK") -> bytes:
    answer = Answer(status, [("Content-Type", "application/json")], [body])
    return MASKING.apply({**REQUEST, "PATH_INFO": path}, answer).read()


def masked(document: Any, path: str = "/v2/images", status: str = "200 OK") -> Any:
    return json.loads(mask(json.dumps(document).encode(), path, status))


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


def test_the_mark_of_an_upload_is_not_shown() -> None:
    """A client that copies an image's properties could not write it."""
    more: list[dict[str, Any]] = [{}, {"locations": [], "virtual_size": None}]
    for fields in more:
        plain = {"id": ID, "os": "linux", **fields}
        marked = {**plain, "os_glance_s3gateway_upload": "one 1"}
        assert masked(marked, f"/v2/images/{ID}") == plain
        assert masked({"images": [marked]}) == {"images": [plain]}


def test_an_image_in_what_a_user_wrote_is_text() -> None:
    """Else a guess at host and bucket would be told right from wrong."""

    def shown(guess: str) -> Any:
        probe = image({"url": guess, "metadata": {}}, direct_url=guess)
        body = {"import_req": {"probe": probe, "images": [probe]}}
        return masked({"tasks": [{"id": ID, "input": body}]}, f"/v2/images/{ID}/tasks")

    right = f"s3://10.0.0.1:9000/glance-f/{ID}"
    assert shown(right) == shown(f"s3://10.0.0.1:9000/other/{ID}")
    schema = {"schema": "x", "nested": image({"url": right, "metadata": {}})}
    assert masked(schema, "/v2/metadefs/namespaces/x") == schema


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


@pytest.mark.parametrize("user", ["AK:SK@", ""])
@pytest.mark.parametrize(
    ("path", "status"),
    [(f"/v2/images/{ID}/tasks", "200 OK"), (f"/v2/images/{ID}", "400 Bad Request")],
)
def test_uris_inside_of_texts_of_glances(user: str, path: str, status: str) -> None:
    message = f"Original locations is not empty: [{{'url': 's3://{user}h/b/{ID}'}}]"
    assert masked({"message": message}, path, status)["message"] == (
        "Original locations is not empty: [{'url': 's3://unknown/unknown'}]"
    )


HERE = f"s3://10.0.0.1:9000/glance-f/{ID}"


@pytest.mark.parametrize(
    "text",
    [
        HERE,
        "s3://elsewhere/bucket/key",
        f"see {HERE}, s3://x and S3://y",
        "s3://host:9000/bucket/me@home",
        "s3://bucket/report:v2@final/x",
        "s3%3A%2F%2Fbucket%2Freport%3Av2%40final%2Fx",
        "mail to s3@example.org",
        "s3%3A%2F%2Fhost%2Fbucket%2Fkey",
    ],
)
def test_what_users_write_comes_back_as_they_wrote_it(text: str) -> None:
    document = {"id": ID, "locations": [], "name": text, "tags": [text], "note": text}
    body = json.dumps(document).encode()
    assert mask(body) == body
    assert mask(body, "/v2/metadefs/namespaces") == body


@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request"])
def test_nobody_can_try_out_which_host_and_bucket_are_right(status: str) -> None:
    here, elsewhere = HERE, HERE.replace("10.0.0.1", "10.0.0.2")
    found = []
    for url in (here, elsewhere, here.replace("glance-f", "glance-g")):
        text = mask(json.dumps({"note": url, "name": f"a {url}"}).encode(), ID, status)
        found.append(text.replace(url.encode(), b"URL"))
    assert len(set(found)) == 1


def test_credentials_in_what_users_write_do_not_leave() -> None:
    note = f"s3+https://AK:s/e=c@ret@10.0.0.1:9000/glance-f/{ID} is it"
    shown = masked({"id": ID, "locations": [], "note": note})
    assert shown["note"] == "s3://unknown/unknown is it"


def test_a_text_full_of_at_signs_takes_no_time() -> None:
    text = "s3://a:" + "@" * 1_000_000
    assert masked({"note": text})["note"] == text


@pytest.mark.parametrize("depth", [330, 100_000])
def test_documents_nested_deeply_are_masked(depth: int) -> None:
    inner = f'"s3://AK:SK@h/b/{ID}"'
    body = f'{{"method": {"[" * depth}{inner}{"]" * depth}}}'.encode()
    shown = mask(body, f"/v2/images/{ID}/tasks")
    assert b"SK" not in shown
    assert shown.count(b"[") == depth


def test_a_secret_with_quotes_in_it_leaves_nothing_behind_the_quote() -> None:
    pair = KeyPair("AK", "a'secret\"of<ours>and more")
    masking = Masking(MASKS, Sweep(lambda: [pair]), lambda environ: True)
    uri = f"s3://{pair.access_key}:{pair.secret_key}@h/b/{ID}"
    for kind, text in [
        ("text/html", html.escape(f"The location {uri} is wrong")),
        ("application/json", json.dumps({"message": f"The location {uri} is wrong"})),
    ]:
        answer = Answer("400 Bad Request", [("Content-Type", kind)], [text.encode()])
        shown = masking.apply(REQUEST, answer).read()
        assert b"secret" not in shown
        assert b"ours" not in shown
        assert b"more" not in shown


@pytest.mark.parametrize(
    "headers",
    [
        [("Content-Type", "application/json"), ("Content-Encoding", "gzip")],
        [("Content-Type", "application/json; charset=utf-16")],
        [("Content-Type", "text/plain; charset=utf-7")],
    ],
)
def test_what_cannot_be_read_does_not_leave(headers: list[tuple[str, str]]) -> None:
    with pytest.raises(GlanceError):
        MASKING.apply(REQUEST, Answer("200 OK", headers, [b"s3://AK:SK@h/b/k"]))


@pytest.mark.parametrize("kind", ["", "application/vnd.new+json", "image/png"])
def test_answers_of_an_unknown_kind_are_looked_into(kind: str) -> None:
    headers = [("Content-Type", kind)] if kind else []
    answer = Answer("200 OK", headers, [f"see s3://AK:SK@h/b/{ID}".encode()])
    assert MASKING.apply(REQUEST, answer).read() == b"see s3://unknown/unknown"


def test_locations_that_are_not_shown() -> None:
    masking = Masking(MASKS, Sweep(list), lambda environ: False)
    rbd = {"url": "rbd://fsid/pool/image/snap", "metadata": {}}
    s3 = {"url": HERE, "metadata": {"store": "fast"}}
    for found, shown in (([s3], None), ([s3, rbd], [rbd]), ([rbd], [rbd]), ([], [])):
        body = json.dumps(image(*found, direct_url=HERE)).encode()
        answer = Answer("200 OK", [("Content-Type", "application/json")], [body])
        document = json.loads(masking.apply(REQUEST, answer).read())
        assert document.get("locations") == shown
        assert "direct_url" not in document


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

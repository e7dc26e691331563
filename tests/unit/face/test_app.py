# SPDX-License-Identifier: Apache-2.0
"""The face answers the operations of Glance's driver, and nothing else."""

from __future__ import annotations

import dataclasses
import hashlib
import io
from base64 import b64encode

import pytest

from s3gateway.config.keys import KeyPair
from s3gateway.errors import StoreDenied
from s3gateway.errors import StoreError
from s3gateway.errors import StoreFull
from s3gateway.face import objects
from s3gateway.face.app import Face
from s3gateway.upload.written import Written
from tests.support.s3.memory import etag_of
from tests.support.s3.memory import unavailable
from tests.support.s3.stores import TRANSFER
from tests.unit.face import signing
from tests.unit.face.conftest import IMAGE
from tests.unit.face.conftest import KEY
from tests.unit.face.conftest import MIB
from tests.unit.face.conftest import Ground

DATA = bytes(range(256)) * 1000
OURS = f"{IMAGE}.0123456789abcdef"


def test_a_bucket_that_is_configured_is_there(ground: Ground) -> None:
    assert ground.ask("HEAD", "/fast").status == 200
    assert ground.ask("PUT", "/fast").status == 200
    document = b"<CreateBucketConfiguration/>"
    assert ground.ask("PUT", "/fast/", document).status == 200
    assert ground.store.requests == []


@pytest.mark.parametrize("method", ["HEAD", "PUT"])
def test_another_bucket_is_not_there(ground: Ground, method: str) -> None:
    reply = ground.ask(method, "/other")
    assert reply.status == 404
    assert method == "HEAD" or reply.code == "NoSuchBucket"


@pytest.mark.parametrize("key", [IMAGE, OURS])
def test_an_object_comes_and_goes(ground: Ground, key: str) -> None:
    target = f"/fast/{key}"
    assert ground.ask("HEAD", target).status == 404
    put = ground.ask("PUT", target, DATA)
    assert (put.status, put.answer.header("ETag")) == (200, etag_of(DATA))
    assert ground.store.objects_by_key == {key: DATA}
    head = ground.ask("HEAD", target)
    assert (head.status, head.answer.header("Content-Length")) == (200, "256000")
    got = ground.ask("GET", target)
    assert (got.status, got.body) == (200, DATA)
    assert got.answer.header("ETag") == etag_of(DATA)
    assert ground.ask("DELETE", target).status == 204
    assert ground.store.objects_by_key == {}
    gone = ground.ask("GET", target)
    assert (gone.status, gone.code) == (404, "NoSuchKey")
    assert ground.ask("DELETE", target).status == 204
    assert ground.store.open_readers == 0


def test_the_bucket_may_be_in_the_host(ground: Ground) -> None:
    """Only where ``face_domain`` says so; the host is among what is signed."""
    ground.store.write(IMAGE, DATA)
    host = "fast.gateway.example:9293"
    assert ground.ask("GET", f"/{IMAGE}", Host=host).status == 501  # of a bucket
    face = Face(
        ground.keys, {"fast": ground.store}, TRANSFER, Written(), "gateway.example"
    )
    ground = dataclasses.replace(ground, face=face)
    assert ground.ask("HEAD", "/", Host=host).status == 200
    assert ground.ask("GET", f"/{IMAGE}", Host=host).body == DATA
    assert ground.ask("GET", KEY).body == DATA  # path style goes on
    assert ground.ask("GET", KEY, Host=host).code == "AccessDenied"
    other = ground.ask("GET", f"/{IMAGE}", Host="other.gateway.example")
    assert other.code == "NoSuchBucket"
    environ = signing.request("GET", f"/{IMAGE}")
    environ["HTTP_HOST"] = host
    assert ground.send(environ).code == "SignatureDoesNotMatch"


def test_an_empty_object(ground: Ground) -> None:
    assert ground.ask("PUT", KEY).status == 200
    assert ground.store.objects_by_key == {IMAGE: b""}
    got = ground.ask("GET", KEY)
    assert (got.status, got.body) == (200, b"")


def test_a_large_body_goes_in_parts_and_is_whole(ground: Ground) -> None:
    data = hashlib.sha256(b"").digest() * (MIB // 32) * 13 + b"end"
    assert ground.ask("PUT", KEY, data).status == 200
    assert ground.store.objects_by_key == {IMAGE: data}
    assert ground.store.requests.count("part") == 3
    assert ground.store.open_uploads == {}


@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [("bytes=0-0", 0, 1), ("bytes=10-99", 10, 100), ("bytes=255990-", 255990, 256000)],
)
def test_ranges(ground: Ground, header: str, start: int, stop: int) -> None:
    ground.store.write(IMAGE, DATA)
    got = ground.ask("GET", KEY, Range=header)
    assert (got.status, got.body) == (206, DATA[start:stop])
    expected = f"bytes {start}-{stop - 1}/{len(DATA)}"
    assert got.answer.header("Content-Range") == expected


def test_a_range_behind_the_end(ground: Ground) -> None:
    ground.store.write(IMAGE, DATA)
    got = ground.ask("GET", KEY, Range="bytes=256000-")
    assert (got.status, got.code) == (416, "InvalidRange")


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/"),
        ("GET", "/fast"),
        ("GET", "/fast?list-type=2"),
        ("GET", "/fast?location"),
        ("DELETE", "/fast"),
        ("POST", "/fast?delete"),
        ("POST", "/fast"),
        ("GET", f"{KEY}?acl"),
        ("PUT", f"{KEY}?tagging"),
        ("GET", f"{KEY}?versionId=1"),
        ("GET", f"{KEY}?response-content-type=text%2Fhtml"),
        ("GET", f"{KEY}?partNumber=1"),
        ("GET", f"{KEY}?uploadId=1"),
        ("GET", "/fast?uploads"),
        ("POST", KEY),
        ("PATCH", KEY),
        ("OPTIONS", KEY),
        ("PUT", f"{KEY}?X-Amz-Signature=0"),
    ],
)
def test_anything_else_is_not_implemented(
    ground: Ground, method: str, target: str
) -> None:
    reply = ground.ask(method, target)
    assert (reply.status, reply.code) == (501, "NotImplemented")
    assert ground.store.requests == []


@pytest.mark.parametrize(
    "name",
    [
        "x_amz_copy_source",
        "x_amz_acl",
        "x_amz_tagging",
        "x_amz_storage_class",
        "x_amz_meta_color",
        "x_amz_server_side_encryption",
        "x_amz_security_token",
        "x_amz_checksum_crc32c",
        "if_match",
        "if_none_match",
    ],
)
def test_fields_that_change_an_operation_are_not_implemented(
    ground: Ground, name: str
) -> None:
    reply = ground.ask("PUT", KEY, DATA, **{name: "x"})
    assert (reply.status, reply.code) == (501, "NotImplemented")
    assert ground.store.requests == []


@pytest.mark.parametrize(
    "key",
    [
        "name",
        f".s3gateway/{IMAGE}",
        f"{IMAGE}/x",
        f"{IMAGE}.x",
        f"{IMAGE}.0123456789ABCDEF",
        f"x{IMAGE}",
        f"{IMAGE}%0A",
        f"../cheap/{IMAGE}",
    ],
)
def test_keys_are_those_of_images(ground: Ground, key: str) -> None:
    for method in ("HEAD", "GET", "PUT", "DELETE"):
        assert ground.ask(method, f"/fast/{key}").status in (400, 403)
    assert ground.store.requests == []


def test_a_body_that_is_not_the_signed_one_is_not_stored(ground: Ground) -> None:
    for data in (DATA, DATA * 60):  # one request, and parts
        environ = signing.request("PUT", KEY, data)
        environ["wsgi.input"] = _changed(data)
        reply = ground.send(environ)
        assert (reply.status, reply.code) == (400, "XAmzContentSHA256Mismatch")
        assert (ground.store.objects_by_key, ground.store.open_uploads) == ({}, {})


def test_a_body_that_breaks_off_is_not_stored(ground: Ground) -> None:
    environ = signing.request("PUT", KEY, DATA)
    environ["CONTENT_LENGTH"] = str(len(DATA) + 1)
    reply = ground.send(environ)
    assert (reply.status, reply.code) == (400, "IncompleteBody")
    assert ground.store.objects_by_key == {}


def test_checksums_in_fields_are_checked(ground: Ground) -> None:
    md5 = b64encode(hashlib.md5(DATA, usedforsecurity=False).digest()).decode()
    assert ground.ask("PUT", KEY, DATA, Content_MD5=md5).status == 200
    reply = ground.ask("PUT", KEY, DATA + b"x", Content_MD5=md5)
    assert reply.code == "BadDigest"
    crc = {"x_amz_checksum_crc32": "AAAAAA==", "x_amz_sdk_checksum_algorithm": "CRC32"}
    assert ground.ask("PUT", KEY, DATA, **crc).code == "BadDigest"
    assert ground.store.objects_by_key == {IMAGE: DATA}


def test_without_tls_a_body_must_be_signed(ground: Ground) -> None:
    how = {"payload": "UNSIGNED-PAYLOAD"}
    assert ground.ask("PUT", KEY, DATA, **how).code == "AccessDenied"
    assert ground.ask("PUT", KEY, DATA, scheme="https", **how).status == 200


def test_who_is_not_known_is_not_told_what_is_there(ground: Ground) -> None:
    other = KeyPair("OTHER", "another secret of the face")
    for target in ("/fast", "/other", KEY, "/"):
        reply = ground.ask("GET", target, pair=other)
        assert (reply.status, reply.code) == (403, "InvalidAccessKeyId")
    unsigned = signing.request("GET", KEY)
    del unsigned["HTTP_AUTHORIZATION"]
    assert ground.send(unsigned).code == "AccessDenied"


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
def test_the_stores_region_and_the_usual_one_are_right(
    ground: Ground, region: str
) -> None:
    assert ground.ask("HEAD", "/fast", region=region).status == 200


def test_another_region_is_refused_with_the_right_one(ground: Ground) -> None:
    reply = ground.ask("PUT", KEY, DATA, region="us-west-2")
    assert (reply.status, reply.code) == (400, "AuthorizationHeaderMalformed")
    assert reply.text("Region") == "eu-central-1"


def test_a_head_of_what_is_being_registered_asks_no_store(ground: Ground) -> None:
    with ground.written.known("fast", OURS, 77):
        head = ground.ask("HEAD", f"/fast/{OURS}")
        assert (head.status, head.answer.header("Content-Length")) == (200, "77")
        assert ground.store.requests == []
        ground.ask("DELETE", f"/fast/{OURS}")
        assert ground.ask("HEAD", f"/fast/{OURS}").status == 404


def test_a_head_of_what_was_replaced_meanwhile_has_its_size(ground: Ground) -> None:
    with ground.written.known("fast", OURS, 77):
        ground.ask("PUT", f"/fast/{OURS}", DATA)
        head = ground.ask("HEAD", f"/fast/{OURS}")
        assert head.answer.header("Content-Length") == str(len(DATA))


def _raising(error: StoreError) -> object:
    def before(request: str, key: str) -> None:
        raise error

    return before


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (StoreDenied("Store fast answered 403"), 503, "ServiceUnavailable"),
        (StoreFull("Store fast answered 507"), 403, "QuotaExceeded"),
        (StoreError("Store fast answered 400"), 500, "InternalError"),
        (RuntimeError("http://s3.example:9000"), 500, "InternalError"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_errors_of_the_store(
    ground: Ground, method: str, error: StoreError, status: int, code: str
) -> None:
    ground.store.before = _raising(error)  # type: ignore[assignment]
    reply = ground.ask(method, KEY, DATA if method == "PUT" else b"")
    assert (reply.status, reply.code) == (status, code)
    assert b"s3.example" not in reply.body
    assert b"fast" not in reply.body


def test_a_store_that_does_not_answer(ground: Ground) -> None:
    ground.store.before = unavailable("put", "stat")
    assert ground.ask("PUT", KEY, DATA).code == "ServiceUnavailable"
    assert ground.ask("HEAD", KEY).status == 503


def test_a_read_that_cannot_begin_has_no_body(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody would close it, and it would start a thread to end itself."""
    ground.store.objects_by_key[IMAGE] = DATA
    ground.store.before = unavailable("read")
    bodies: list[object] = []
    monkeypatch.setattr(objects, "AnswerBody", lambda *words: bodies.append(words))
    assert ground.ask("GET", KEY).status == 503
    assert bodies == []


def test_what_is_the_clients_fault_is_no_error_in_the_log(
    ground: Ground, caplog: pytest.LogCaptureFixture
) -> None:
    ground.ask("GET", KEY)
    ground.ask("PUT", KEY, DATA, payload="0" * 64)
    assert [r for r in caplog.records if r.levelname in ("WARNING", "ERROR")] == []
    ground.store.before = unavailable("stat")
    ground.ask("GET", KEY)
    assert "ERROR" in [record.levelname for record in caplog.records]


def test_a_read_goes_on_where_the_store_broke_off(ground: Ground) -> None:
    ground.store.write(IMAGE, DATA)
    seen: list[str] = []

    def before(request: str, key: str) -> None:
        seen.append(request)
        if seen.count("more") == 2 and request == "more":
            unavailable("more")(request, key)

    ground.store.before = before
    assert ground.ask("GET", KEY).body == DATA
    assert seen.count("read") == 2


def _changed(data: bytes) -> io.BytesIO:
    return io.BytesIO(data[:-1] + b"?")

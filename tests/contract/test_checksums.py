# SPDX-License-Identifier: Apache-2.0
"""A body's CRC32: of every body, and in place of the payload's signature.

The options are ``s3_store_request_checksum_calculation = when_supported`` and
``s3_store_unsigned_payload``.
"""

from __future__ import annotations

import re
import secrets
import zlib
from base64 import b64encode
from collections.abc import Iterator

import pytest

from s3gateway.errors import StoreError
from s3gateway.http.ranges import Span
from s3gateway.manage.check.findings import Severity
from s3gateway.manage.check.store import check
from s3gateway.s3 import trials
from s3gateway.s3 import unsigned
from s3gateway.s3.store import S3Store
from tests.contract.objects import DATA
from tests.contract.objects import content
from tests.contract.objects import views
from tests.support.faults import s3_faults
from tests.support.faults.faultproxy import FaultProxy
from tests.support.s3.s3server import S3Server
from tests.support.s3.stores import TRANSFER
from tests.support.s3.stores import s3_store

CRC32 = b64encode(zlib.crc32(DATA).to_bytes(4, "big")).decode()


#: Whether a wrong one is refused, as measured; a server that learns it fails here.
REFUSES = {
    "swift": True,
    "moto": False,
    "rgw": False,
    "minio": True,
    "versity": True,
}


@pytest.fixture
def bucket(server: S3Server) -> Iterator[str]:
    name = f"checksums-{secrets.token_hex(8)}"
    server.client().create_bucket(Bucket=name)
    yield name
    server.client().delete_bucket(Bucket=name)


def with_checksums(server: S3Server, bucket: str, endpoint: str = "") -> S3Store:
    return s3_store(
        server,
        bucket,
        endpoint=endpoint or server.endpoint,
        request_checksums="when_supported",
    )


def _without_checksums(raw: bytes) -> bytes:
    return re.sub(rb"(?im)^x-amz-checksum-.*\r\n", b"", raw)


def test_every_way_to_write(server: S3Server, bucket: str) -> None:
    store = with_checksums(server, bucket)
    store.put("put", views(DATA))
    store.copy("copied", (bucket, "put"), {})
    writer = store.begin("parts")
    writer.send(1, views(DATA))
    writer.commit()
    for key in ("put", "copied", "parts"):
        assert content(store, key, len(DATA)) == DATA
        store.delete(key)


def test_a_part_that_the_server_copies(server: S3Server, bucket: str) -> None:
    """MinIO wants the checksum of a copied part as well, which nobody can send it."""
    store = with_checksums(server, bucket)
    store.put("put", views(DATA))
    writer = store.begin("copied-parts")
    if server.name == "minio":
        with pytest.raises(StoreError, match="400 InvalidArgument"):
            writer.copy(1, (bucket, "put"), Span(0, len(DATA)))
        writer.abort()  # migrate then copies through itself
    else:
        writer.copy(1, (bucket, "put"), Span(0, len(DATA)))
        writer.commit()
        assert content(store, "copied-parts", len(DATA)) == DATA
        store.delete("copied-parts")
    store.delete("put")


def test_a_parts_checksum_is_the_one_that_was_sent(s3: S3Server) -> None:
    """Whether or not a proxy lets the answer's through, Complete is to name it."""
    name = f"checksums-{secrets.token_hex(8)}"
    s3.client().create_bucket(Bucket=name)
    with FaultProxy(s3.endpoint) as proxy:
        fault = proxy.add(s3_faults.ChangedHead(_without_checksums), times=None)
        store = with_checksums(s3, name, proxy.endpoint)
        upload_id = store.bucket.begin("key", None)
        entry = store.bucket.put_part("key", upload_id, 1, views(DATA))
        store.abandon("key", upload_id)
    assert fault.events
    assert entry["ChecksumCRC32"] == CRC32
    assert entry["ETag"]
    s3.client().delete_bucket(Bucket=name)


def test_the_checksum_of_a_part_that_the_server_copied(s3: S3Server) -> None:
    """AWS refuses a Complete that leaves it out."""
    body = (
        "<CopyPartResult><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
        f"<ETag>&quot;e&quot;</ETag><ChecksumCRC32>{CRC32}</ChecksumCRC32>"
        "</CopyPartResult>"
    )
    with FaultProxy(s3.endpoint) as proxy:
        answer = s3_faults.Answer(200, body=body.encode())
        proxy.add(answer, method="PUT", query="partNumber=7")
        store = with_checksums(s3, "any", proxy.endpoint)
        source = ("any", "key")
        entry = store.bucket.copy_part("key", "an-id", 7, source, Span(0, 9))
    assert entry == {"PartNumber": 7, "ETag": '"e"', "ChecksumCRC32": CRC32}


def test_an_object_lock_is_told_of_which_kind_a_checksum_is(s3: S3Server) -> None:
    with FaultProxy(s3.endpoint) as proxy:
        proxy.add(s3_faults.Answer(200, body=b""), times=None)
        with_checksums(s3, "any", proxy.endpoint).put("key", views(DATA))
        s3_store(s3, "any", endpoint=proxy.endpoint).put("key", views(DATA))
    names = ("x-amz-sdk-checksum-algorithm", "x-amz-checksum-crc32")
    sent = [[r.headers.get(name) for name in names] for r in proxy.requests]
    assert sent == [["CRC32", CRC32], [None, None]]


def without_signed_payloads(server: S3Server, bucket: str, endpoint: str) -> S3Store:
    return s3_store(server, bucket, endpoint=endpoint, unsigned_payload=True)


def test_who_refuses_a_wrong_one(server: S3Server, bucket: str) -> None:
    """And ``check`` says so; nothing is left of either."""
    store = without_signed_payloads(server, bucket, server.endpoint)
    assert unsigned.try_out(store.bucket) is REFUSES[server.name]
    found = [
        each for each in check(store.settings, TRANSFER) if "payload" in each.found
    ]
    expected = Severity.OK if REFUSES[server.name] else Severity.WARNING
    assert [each.severity for each in found] == [expected]


def test_a_crc32_in_place_of_the_signature(server: S3Server, bucket: str) -> None:
    """Images are written so, where a wrong one is refused; a claim is not."""
    with FaultProxy(server.endpoint) as proxy:
        store = without_signed_payloads(server, bucket, proxy.endpoint)
        store.put("claim", views(DATA))
        store.put("put", views(DATA), about={"image-id": "an-id"})
        writer = store.begin("parts")
        writer.send(1, views(DATA))
        writer.commit()
        sent = [
            (r.path.rpartition("/")[2], r.headers["x-amz-content-sha256"])
            for r in proxy.requests
            if r.method == "PUT" and trials.PREFIX not in r.path
        ]
    unsigned_keys = [key for key, payload in sent if payload == "UNSIGNED-PAYLOAD"]
    assert unsigned_keys == (["put", "parts"] if REFUSES[server.name] else [])
    assert [key for key, _ in sent] == ["claim", "put", "parts"]
    past_the_proxy = s3_store(server, bucket)
    for key in ("claim", "put", "parts"):
        assert content(past_the_proxy, key, len(DATA)) == DATA
        past_the_proxy.delete(key)


@pytest.mark.parametrize("part", [False, True])
def test_a_byte_that_is_damaged_on_its_way(
    server: S3Server, bucket: str, part: bool
) -> None:
    """Whatever vouches for the bytes, they are sent again and are right."""
    if server.name == "moto":
        return  # it believes every signature
    with FaultProxy(server.endpoint) as proxy:
        store = without_signed_payloads(server, bucket, proxy.endpoint)
        store.put("first", views(DATA), about={})  # the trial is over by now
        fault = s3_faults.Corrupt(len(DATA) // 2, upwards=True)
        proxy.add(fault, method="PUT", key="/damaged")
        if part:
            writer = store.begin("damaged")
            writer.send(1, views(DATA))
            writer.commit()
        else:
            store.put("damaged", views(DATA), about={})
    assert len(fault.events) == 1
    past_the_proxy = s3_store(server, bucket)
    assert content(past_the_proxy, "damaged", len(DATA)) == DATA
    for key in ("first", "damaged"):
        past_the_proxy.delete(key)

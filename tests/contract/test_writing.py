# SPDX-License-Identifier: Apache-2.0
"""Encryption, storage class and metadata of an image's object."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest

from s3gateway.config.stores import Writing
from s3gateway.http.ranges import Span
from s3gateway.manage.check.findings import Severity
from s3gateway.manage.check.store import examine
from s3gateway.s3.store import S3Store
from tests.contract.objects import views
from tests.support.faults.fault import Fault
from tests.support.faults.fault import Request
from tests.support.faults.faultproxy import FaultProxy
from tests.support.faults.s3_faults import Answer
from tests.support.s3.s3server import S3Server
from tests.support.s3.stores import s3_store

ALL = Writing(
    encryption="aws:kms",
    kms_key="images-key",
    storage_class="STANDARD_IA",
    metadata=True,
    glance_id="ours",
)
ABOUT = {"image-id": "an-id", "sha512": "ab" * 64}


def write_each_way(store: S3Store) -> None:
    """Write a note, a small image and a large one."""
    store.put("note", views(b"note"))
    store.put("small", views(b"small"), about=ABOUT)
    writer = store.begin("large", {"image-id": "an-id"})
    writer.send(1, views(b"large"))
    writer.commit()


def heads(server: S3Server, store: S3Store) -> dict[str, Any]:
    """Return what the server says of the three, and delete them and the bucket."""
    client, bucket = server.client(), store.settings.bucket
    found = {}
    for key in ("note", "small", "large"):
        found[key] = client.head_object(Bucket=bucket, Key=key)
        store.delete(key)
    client.delete_bucket(Bucket=bucket)
    return found


def test_what_is_sent(s3: S3Server) -> None:
    """Swift does not encrypt for S3's clients, so it is told by the request alone."""
    with FaultProxy(s3.endpoint) as proxy:
        store = s3_store(s3, "any", endpoint=proxy.endpoint, writing=ALL)
        for write in (
            lambda: store.bucket.put_part("part", "an-id", 1, []),
            lambda: store.put("note", []),
            lambda: store.put("small", [], about=ABOUT),
            lambda: store.begin("large", {"image-id": "an-id"}),
            lambda: store.copy("copy", ("another-bucket", "key"), ABOUT),
        ):
            with pytest.raises(Exception, match="Store"):
                write()
        sent = {
            r.path.rpartition("/")[2]: {
                name.removeprefix("x-amz-"): value
                for name, value in r.headers.items()
                if name.startswith(("x-amz-server", "x-amz-storage", "x-amz-meta"))
            }
            for r in proxy.requests
        }
    encrypted = {
        "server-side-encryption": "aws:kms",
        "server-side-encryption-aws-kms-key-id": "images-key",
        "meta-glance-id": "ours",
    }
    image = {**encrypted, "storage-class": "STANDARD_IA", "meta-image-id": "an-id"}
    assert sent == {
        "part": {},
        "note": encrypted,
        "small": {**image, "meta-sha512": ABOUT["sha512"]},
        "large": image,
        "copy": {
            **image,
            "meta-sha512": ABOUT["sha512"],
            "metadata-directive": "REPLACE",
        },
    }


def test_metadata_and_no_more(s3: S3Server) -> None:
    for metadata in (True, False):
        store = s3_store(
            s3,
            f"writing-{secrets.token_hex(8)}",
            writing=Writing(metadata=metadata),
            create_bucket=True,
        )
        write_each_way(store)
        found = {key: head["Metadata"] for key, head in heads(s3, store).items()}
        large = {"image-id": "an-id"}
        assert found["note"] == {}
        assert found["small"] == (ABOUT if metadata else {})
        assert found["large"] == (large if metadata else {})


def test_every_object_says_which_glance_it_belongs_to(server: S3Server) -> None:
    bucket = f"writing-{secrets.token_hex(8)}"
    client = server.client()
    client.create_bucket(Bucket=bucket)
    store = s3_store(server, bucket, writing=Writing(glance_id="ours"))
    write_each_way(store)
    store.copy("copy", (bucket, "small"), ABOUT)
    other = s3_store(server, bucket, writing=Writing(glance_id="theirs"))
    for key in ("note", "small", "large", "copy"):
        assert other.stat(key).glance_id == "ours"
        assert other.note(key).glance_id == "ours"
    other.put("small", views(b"another"), about=ABOUT)
    assert store.stat("small").glance_id == "theirs"
    client.put_object(Bucket=bucket, Key="note", Body=b"by somebody else")
    if server.name != "versity":  # keeps what was known of the object before
        assert store.stat("note").glance_id == store.note("note").glance_id == ""
    for key in ("note", "small", "large", "copy"):
        store.delete(key)
    client.delete_bucket(Bucket=bucket)


def test_a_copy_has_nothing_of_what_its_source_had(s3: S3Server) -> None:
    """Whether the server copies it whole or in parts."""
    bucket = f"writing-{secrets.token_hex(8)}"
    client = s3.client()
    client.create_bucket(Bucket=bucket)
    source = (bucket, "source")
    client.put_object(
        Bucket=bucket, Key="source", Body=b"source", Metadata={"of-the-source": "yes"}
    )
    store = s3_store(s3, bucket, writing=Writing(metadata=True))
    store.copy("whole", source, ABOUT)
    writer = store.begin("parts", ABOUT)
    writer.copy(1, source, Span(0, 6))
    writer.commit()
    for key in ("whole", "parts"):
        assert store.note(key).data == b"source"
        assert client.head_object(Bucket=bucket, Key=key)["Metadata"] == ABOUT
        store.delete(key)
    store.delete("source")
    client.delete_bucket(Bucket=bucket)


@pytest.mark.full
@pytest.mark.parametrize(
    ("name", "encryption", "storage_class"),
    [
        ("moto", "AES256", "STANDARD_IA"),
        ("moto", "aws:kms", "INTELLIGENT_TIERING"),
        ("minio", "AES256", "REDUCED_REDUNDANCY"),
        ("minio", "aws:kms", "STANDARD"),
    ],
)
def test_what_is_stored(
    running: Callable[[str], S3Server], name: str, encryption: str, storage_class: str
) -> None:
    server = running(name)
    kms_key = "images-key" if encryption == "aws:kms" else ""
    store = s3_store(
        server,
        f"writing-{secrets.token_hex(8)}",
        writing=Writing(
            encryption=encryption,
            kms_key=kms_key,
            storage_class=storage_class,
            metadata=True,
        ),
        create_bucket=True,
    )
    write_each_way(store)
    assert store.note("small").data == b"small"
    assert store.note("large").data == b"large"
    for key, head in heads(server, store).items():
        assert head["ServerSideEncryption"] == encryption
        assert head.get("SSEKMSKeyId", "").endswith(kms_key)
        # What is STANDARD is not named.
        expected = "STANDARD" if key == "note" else storage_class
        assert head.get("StorageClass", "STANDARD") == expected


class DemandsEncryption(Fault):
    """A bucket policy that denies to write what is not to be encrypted."""

    def before(self, request: Request) -> None:
        begins = request.method == "PUT" and "partNumber" not in request.query
        begins = begins or (request.method, request.query) == ("POST", "uploads")
        if begins and "x-amz-server-side-encryption" not in request.headers:
            Answer(403, "AccessDenied").before(request)


@pytest.mark.full
@pytest.mark.parametrize("encryption", ["AES256", ""])
def test_a_bucket_whose_policy_demands_encryption(
    running: Callable[[str], S3Server], encryption: str
) -> None:
    server, bucket = running("moto"), f"writing-{secrets.token_hex(8)}"
    server.client().create_bucket(Bucket=bucket)
    with FaultProxy(server.endpoint) as proxy:
        proxy.add(DemandsEncryption(), times=None)
        writing = Writing(encryption=encryption)
        store = s3_store(server, bucket, endpoint=proxy.endpoint, writing=writing)
        found = examine(store)
        if encryption:
            assert max(each.severity for each in found) < Severity.ERROR
            assert "unknown" not in {each.found for each in found}
            store.put("claim", views(b"claim"), if_absent=True)
            store.delete("claim")
            write_each_way(store)
            assert len(heads(server, store)) == 3  # and nothing else was there
            return
    [access] = found
    assert access.found == "no write right"
    assert "set s3_store_server_side_encryption" in access.advice
    server.client().delete_bucket(Bucket=bucket)  # which is empty

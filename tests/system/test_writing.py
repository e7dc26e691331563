# SPDX-License-Identifier: Apache-2.0
"""A store's options of what is written, and how, reach S3."""

from __future__ import annotations

import contextlib
import hashlib
import pathlib
import random
from collections.abc import Iterator

import pytest

from tests.support.clients.api import Api
from tests.support.faults.through import through_proxy
from tests.support.people import ALICE
from tests.support.s3 import catalog
from tests.support.servers.cloud import Cloud
from tests.support.servers.mariadb import MariaDB

MIB = 1024**2
SMALL, LARGE = (
    random.Random(size).randbytes(size)  # noqa: S311
    for size in (1000, 17 * MIB + 3)
)
STORE = {
    "s3_store_server_side_encryption": "aws:kms",
    "s3_store_kms_key_id": "images-key",
    "s3_store_storage_class": "REDUCED_REDUNDANCY",
    "s3_store_object_metadata": "true",
}


@pytest.fixture(scope="module")
def encrypting(workspace: pathlib.Path, database: MariaDB) -> Iterator[Cloud]:
    """A cloud on a MinIO, which has a key."""
    if reason := catalog.missing("minio"):
        pytest.skip(f"minio was not run: {reason}")
    home = workspace / "encrypting"
    with contextlib.ExitStack() as stack:
        s3 = stack.enter_context(catalog.serving("minio", home / "s3"))
        yield Cloud(33, home, database, s3, stack, name="encrypting")


@pytest.mark.full
@pytest.mark.parametrize("alone", [False, True], ids=["filter", "stand-alone"])
def test_options_of_a_store_reach_s3(encrypting: Cloud, alone: bool) -> None:
    config = {"fast": STORE}
    url = encrypting.glance(gateway=not alone, config=config).url
    if alone:
        url = encrypting.standalone(config=config).url
    api = Api(url, ALICE)
    for data in (SMALL, LARGE):
        image_id = api.create()
        assert api.upload(image_id, data).status == 204
        assert api.download(image_id).body == data
        [key] = encrypting.kept(image_id)
        head = encrypting.s3.client().head_object(
            Bucket=encrypting.bucket("fast"), Key=key
        )
        assert head["ServerSideEncryption"] == "aws:kms"
        assert head["SSEKMSKeyId"].endswith("images-key")
        assert head["StorageClass"] == "REDUCED_REDUNDANCY"
        expected = {"image-id": image_id}
        if data is SMALL:  # S3 is told of a large one before its hash is known
            expected["sha512"] = hashlib.sha512(data).hexdigest()
        found = dict(head["Metadata"])
        # It is computed from [database] connection, which a gateway of its own has not.
        assert bool(found.pop("glance-id", "")) is not alone
        assert found == expected
        assert api.delete(image_id).status == 204


def test_payloads_that_are_not_signed(cloud: Cloud) -> None:
    """Of images alone, whether they are one request or parts."""
    options = {"s3_store_unsigned_payload": "true"}
    with through_proxy(cloud, ALICE, stores=options) as through:
        for data in (SMALL, LARGE):
            image_id = through.api.create()
            assert through.api.upload(image_id, data).status == 204
            assert through.api.download(image_id).body == data
            found = through.api.request("GET", f"/v2/images/{image_id}").json()
            assert found["os_hash_value"] == hashlib.sha512(data).hexdigest()
            sent = [
                (request.headers["x-amz-content-sha256"], request.headers)
                for request in through.proxy.requests
                if request.method == "PUT"
                and request.path.rpartition("/")[2].startswith(f"{image_id}.")
            ]
            assert len(sent) == (1 if data is SMALL else 4)
            for payload, headers in sent:
                assert payload == "UNSIGNED-PAYLOAD"
                assert "x-amz-checksum-crc32" in headers["authorization"]
            assert through.api.delete(image_id).status == 204
        claims = [r for r in through.proxy.requests if "/.s3gateway/" in r.path]
        assert all(
            request.headers["x-amz-content-sha256"] != "UNSIGNED-PAYLOAD"
            for request in claims
            if request.method == "PUT"
        )
        assert claims

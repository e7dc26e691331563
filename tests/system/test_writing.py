# SPDX-License-Identifier: Apache-2.0
"""A store's options of encryption, storage class and metadata reach S3."""

from __future__ import annotations

import contextlib
import hashlib
import pathlib
import random
from collections.abc import Iterator

import pytest

from tests.support.clients.api import Api
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

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest

from s3gateway.errors import DigestMismatch
from s3gateway.errors import RequestError
from s3gateway.glance.api import Image
from s3gateway.upload import expected

DATA = b"what was promised"
MD5 = hashlib.md5(DATA, usedforsecurity=False)
FOUND = {
    "md5": MD5.hexdigest(),
    "sha256": hashlib.sha256(DATA).hexdigest(),
    "sha512": hashlib.sha512(DATA).hexdigest(),
}


def image(checksum: str = "", os_hash: str = "", **properties: Any) -> Image:
    algorithm = "sha512" if os_hash else ""
    return Image("id", "queued", None, checksum, algorithm, os_hash, (), properties)


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        (MD5.hexdigest(), True),
        (MD5.hexdigest().upper(), True),
        (base64.b64encode(MD5.digest()).decode(), True),
        ("0" * 32, False),
        (base64.b64encode(bytes(16)).decode(), False),
    ],
)
def test_content_md5(header: str, kept: bool) -> None:
    made = expected.made({"HTTP_CONTENT_MD5": header}, image())
    if kept:
        expected.check(made, FOUND)
        return
    with pytest.raises(DigestMismatch, match="Content-MD5 header announces"):
        expected.check(made, FOUND)


@pytest.mark.parametrize("header", ["nonsense", "0" * 31, "AAAA", "=" * 24, "\xe9" * 2])
def test_a_header_that_is_no_md5(header: str) -> None:
    with pytest.raises(RequestError, match="not an MD5"):
        expected.made({"HTTP_CONTENT_MD5": header}, image())


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        ({"checksum": "0" * 32}, "The image's checksum announces"),
        ({"os_hash": "0" * 128}, "os_hash_value announces the sha512"),
    ],
)
def test_the_images_promises(properties: dict[str, str], words: str) -> None:
    made = expected.made({}, image(**properties))
    with pytest.raises(DigestMismatch, match=words):
        expected.check(made, FOUND)


def test_promises_that_are_kept_or_not_made() -> None:
    expected.check(expected.made({}, image(FOUND["md5"], FOUND["sha512"])), FOUND)
    assert expected.made({}, image()) == []


def test_what_another_image_was_uploaded_with_is_no_promise() -> None:
    """A snapshot inherits the properties of the image that its server was made of."""
    inherited = {
        "owner_specified.openstack.md5": "0" * 32,
        "owner_specified.openstack.sha256": "0" * 64,
    }
    assert expected.made({}, image(**inherited)) == []

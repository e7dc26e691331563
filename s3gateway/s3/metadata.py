# SPDX-License-Identifier: Apache-2.0
"""What a write tells S3 besides the bytes: encryption, class, metadata, checksum.

All objects say which Glance they belong to (``x-amz-meta-glance-id``).
"""

from __future__ import annotations

import zlib
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from s3gateway.config.stores import Writing
from s3gateway.store import About
from s3gateway.store import Buffers

CRC32 = "x-amz-checksum-crc32"

_PREFIX = "x-amz-meta-"
_GLANCE_ID = "glance-id"


def parameters(writing: Writing, about: About | None) -> dict[str, Any]:
    """Return what boto3 is to be told of a new object.

    :param about: what is known of the image that it is; ``None`` if it is none
    """
    found: dict[str, Any] = {
        "ServerSideEncryption": writing.encryption,
        "SSEKMSKeyId": writing.kms_key,
        "Metadata": {_GLANCE_ID: writing.glance_id} if writing.glance_id else {},
    }
    if about is not None:
        found["StorageClass"] = writing.storage_class
        found["Metadata"] |= about if writing.metadata else {}
    return {name: value for name, value in found.items() if value}


def headers(writing: Writing, about: About | None) -> dict[str, str]:
    """Return the same as headers of a request."""
    found = parameters(writing, about)
    metadata = found.pop("Metadata", {})
    return {
        **{_HEADERS[name]: value for name, value in found.items()},
        **{_PREFIX + name: value for name, value in metadata.items()},
    }


def checksum(data: Buffers) -> dict[str, str]:
    """Return the headers with the checksum of a body.

    A bucket with object lock wants to be told of which kind it is.
    """
    crc = 0
    for buffer in data:
        crc = zlib.crc32(buffer, crc)
    value = b64encode(crc.to_bytes(4, "big")).decode()
    return {CRC32: value, "x-amz-sdk-checksum-algorithm": "CRC32"}


def glance_id(answer: Mapping[str, str]) -> str:
    """Return which Glance an object belongs to, empty if it does not say.

    :param answer: the headers of an answer, with or without the prefix
    """
    named = (_GLANCE_ID, _PREFIX + _GLANCE_ID)
    return next((v for name, v in answer.items() if name.lower() in named), "")


_HEADERS = {
    "ServerSideEncryption": "x-amz-server-side-encryption",
    "SSEKMSKeyId": "x-amz-server-side-encryption-aws-kms-key-id",
    "StorageClass": "x-amz-storage-class",
}

# SPDX-License-Identifier: Apache-2.0
"""Headers of new objects: encryption, storage class, metadata, checksum.

All objects carry the id of their Glance (``x-amz-meta-glance-id``).
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
    """Return boto3's parameters for a new object.

    :param about: facts about the image; ``None`` if the object is no image
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
    """Return the parameters as headers of a request."""
    found = parameters(writing, about)
    metadata = found.pop("Metadata", {})
    return {
        **{_HEADERS[name]: value for name, value in found.items()},
        **{_PREFIX + name: value for name, value in metadata.items()},
    }


def checksum(data: Buffers) -> dict[str, str]:
    """Return the headers with the checksum of a body.

    A bucket with object lock also needs the algorithm.
    """
    crc = 0
    for buffer in data:
        crc = zlib.crc32(buffer, crc)
    value = b64encode(crc.to_bytes(4, "big")).decode()
    return {CRC32: value, "x-amz-sdk-checksum-algorithm": "CRC32"}


def glance_id(answer: Mapping[str, str]) -> str:
    """Return the id of an object's Glance, empty if it names none.

    :param answer: headers or metadata of the object, with or without the prefix
    """
    named = (_GLANCE_ID, _PREFIX + _GLANCE_ID)
    return next((v for name, v in answer.items() if name.lower() in named), "")


_HEADERS = {
    "ServerSideEncryption": "x-amz-server-side-encryption",
    "SSEKMSKeyId": "x-amz-server-side-encryption-aws-kms-key-id",
    "StorageClass": "x-amz-storage-class",
}

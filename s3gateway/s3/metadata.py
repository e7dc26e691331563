# SPDX-License-Identifier: Apache-2.0
"""What a write tells S3 besides the bytes: encryption, storage class, metadata."""

from __future__ import annotations

from typing import Any

from s3gateway.config.stores import Writing
from s3gateway.store import About


def parameters(writing: Writing, about: About | None) -> dict[str, Any]:
    """Return what boto3 is to be told of a new object.

    :param about: what is known of the image that it is; ``None`` if it is none
    """
    found: dict[str, Any] = {
        "ServerSideEncryption": writing.encryption,
        "SSEKMSKeyId": writing.kms_key,
    }
    if about is not None:
        found["StorageClass"] = writing.storage_class
        found["Metadata"] = dict(about) if writing.metadata else {}
    return {name: value for name, value in found.items() if value}


def headers(writing: Writing, about: About | None) -> dict[str, str]:
    """Return the same as headers of a request."""
    found = parameters(writing, about)
    metadata = found.pop("Metadata", {})
    return {
        **{_HEADERS[name]: value for name, value in found.items()},
        **{f"x-amz-meta-{name}": value for name, value in metadata.items()},
    }


_HEADERS = {
    "ServerSideEncryption": "x-amz-server-side-encryption",
    "SSEKMSKeyId": "x-amz-server-side-encryption-aws-kms-key-id",
    "StorageClass": "x-amz-storage-class",
}

# SPDX-License-Identifier: Apache-2.0
"""Listings of a bucket, page by page."""

from __future__ import annotations

import functools
from collections.abc import Iterator

from s3gateway.s3 import dates
from s3gateway.s3.bucket import Bucket
from s3gateway.store import Listed


def objects(bucket: Bucket, prefix: str) -> Iterator[Listed]:
    """Yield all objects whose keys begin with a prefix."""
    more: dict[str, str] = {"Prefix": prefix}
    while True:
        ask = functools.partial(bucket.ask, "list_objects_v2", **more)
        page = bucket.patiently(prefix, ask)
        now = dates.of_answer(page)
        for entry in page.get("Contents", []):
            age = (now - entry["LastModified"]).total_seconds()
            yield Listed(entry["Key"], age, size=entry["Size"])
        if not page.get("IsTruncated"):
            return
        more["ContinuationToken"] = page["NextContinuationToken"]


def uploads(bucket: Bucket) -> Iterator[Listed]:
    """Yield the multipart uploads that the server lists."""
    more: dict[str, str] = {}
    while True:
        ask = functools.partial(bucket.ask, "list_multipart_uploads", **more)
        page = bucket.patiently("", ask)
        now = dates.of_answer(page)
        for entry in page.get("Uploads", []):
            age = (now - entry["Initiated"]).total_seconds()
            yield Listed(entry["Key"], age, upload_id=entry["UploadId"])
        if not page.get("IsTruncated"):
            return
        more["KeyMarker"] = page["NextKeyMarker"]
        more["UploadIdMarker"] = page["NextUploadIdMarker"]

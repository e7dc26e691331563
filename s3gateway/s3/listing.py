# SPDX-License-Identifier: Apache-2.0
"""Listings of a bucket, page by page."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING

from s3gateway.s3.conditional import date as date_of
from s3gateway.store import Listed

if TYPE_CHECKING:
    from s3gateway.s3.store import S3Store


def objects(store: S3Store, prefix: str) -> Iterator[Listed]:
    """Yield all objects whose keys begin with a prefix."""
    more: dict[str, str] = {"Prefix": prefix}
    while True:
        ask = functools.partial(store.ask, "list_objects_v2", **more)
        page = store.patiently(prefix, ask)
        now = date_of(page)
        for entry in page.get("Contents", []):
            age = (now - entry["LastModified"]).total_seconds()
            yield Listed(entry["Key"], age, size=entry["Size"])
        if not page.get("IsTruncated"):
            return
        more["ContinuationToken"] = page["NextContinuationToken"]


def uploads(store: S3Store) -> Iterator[Listed]:
    """Yield the multipart uploads that the server lists."""
    more: dict[str, str] = {}
    while True:
        ask = functools.partial(store.ask, "list_multipart_uploads", **more)
        page = store.patiently("", ask)
        now = date_of(page)
        for entry in page.get("Uploads", []):
            age = (now - entry["Initiated"]).total_seconds()
            yield Listed(entry["Key"], age, upload_id=entry["UploadId"])
        if not page.get("IsTruncated"):
            return
        more["KeyMarker"] = page["NextKeyMarker"]
        more["UploadIdMarker"] = page["NextUploadIdMarker"]

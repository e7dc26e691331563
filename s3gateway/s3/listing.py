# SPDX-License-Identifier: Apache-2.0
"""Lists objects and multipart uploads of a bucket, page by page.

Some servers do not name the start of the next page, or only in part.  It then begins
after the last entry.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from s3gateway.errors import StoreError
from s3gateway.s3 import dates
from s3gateway.s3 import errors as s3errors
from s3gateway.s3.bucket import Bucket
from s3gateway.store import Listed

Page = dict[str, Any]
Where = dict[str, Any]


def objects(bucket: Bucket, prefix: str) -> Iterator[Listed]:
    """Yield all objects whose keys begin with a prefix."""
    where = {"Prefix": prefix}
    for page in _pages(bucket, "list_objects_v2", where, _behind_objects):
        now = dates.of_answer(page)
        for entry in page.get("Contents", []):
            age = dates.age(now, entry.get("LastModified"))
            key = s3errors.said(bucket.name, entry, "Key")
            yield Listed(key, age, size=s3errors.said(bucket.name, entry, "Size"))


def uploads(bucket: Bucket) -> Iterator[Listed]:
    """Yield the multipart uploads that the server lists."""
    for page in _pages(bucket, "list_multipart_uploads", {}, _behind_uploads):
        now = dates.of_answer(page)
        for entry in page.get("Uploads", []):
            age = dates.age(now, entry.get("Initiated"))
            key = s3errors.said(bucket.name, entry, "Key")
            upload_id = s3errors.said(bucket.name, entry, "UploadId")
            yield Listed(key, age, upload_id=upload_id)


@dataclasses.dataclass(frozen=True)
class ListedPart:
    """A part of a multipart upload; only whole ones are listed.

    :ivar age: how long ago it came, in seconds by the store's own clock
    :ivar checksum: the entries that its completion needs beside the etag
    """

    number: int
    etag: str
    size: int
    age: float
    checksum: Mapping[str, str]


def parts(bucket: Bucket, key: str, upload_id: str) -> Iterator[ListedPart]:
    """Yield the parts of a multipart upload.

    :raises ObjectNotFound: if there is no such upload
    """
    where = {"Key": key, "UploadId": upload_id}
    said = functools.partial(s3errors.said, bucket.name)
    for page in _pages(bucket, "list_parts", where, _behind_parts):
        now = dates.of_answer(page)
        for part in page.get("Parts", []):
            yield ListedPart(
                part.get("PartNumber", 0),
                part.get("ETag", ""),
                said(part, "Size"),
                dates.age(now, part.get("LastModified")),
                {n: part[n] for n in ("ChecksumCRC32",) if n in part},
            )


def received(bucket: Bucket, key: str, upload_id: str) -> int:
    """Return how many bytes of a multipart upload have come."""
    return sum(part.size for part in parts(bucket, key, upload_id))


def _pages(
    bucket: Bucket, operation: str, where: Where, behind: Callable[[Page], Where]
) -> Iterator[Page]:
    """Yield pages.

    :raises StoreError: if a server repeats a page: it does not list the whole bucket
    """
    more: Where = {}
    while True:
        ask = functools.partial(bucket.ask, operation, **where, **more)
        page = bucket.patiently(where.get("Prefix", ""), ask)
        before, more = more, behind(page) if page.get("IsTruncated") else {}
        if more and more == before:
            raise StoreError(f"Store {bucket.name} lists the same page again and again")
        yield page
        if not more:
            return


def _behind_objects(page: Page) -> Where:
    if token := page.get("NextContinuationToken"):
        return {"ContinuationToken": token}
    entries = page.get("Contents")
    return {"StartAfter": entries[-1]["Key"]} if entries else {}


def _behind_parts(page: Page) -> Where:
    if marker := page.get("NextPartNumberMarker"):
        return {"PartNumberMarker": int(marker)}
    parts = page.get("Parts")
    return {"PartNumberMarker": parts[-1]["PartNumber"]} if parts else {}


def _behind_uploads(page: Page) -> Where:
    if key := page.get("NextKeyMarker"):
        upload_id = page.get("NextUploadIdMarker")
        return {
            "KeyMarker": key,
            **({"UploadIdMarker": upload_id} if upload_id else {}),
        }
    if entries := page.get("Uploads"):
        last = entries[-1]
        return {"KeyMarker": last["Key"], "UploadIdMarker": last["UploadId"]}
    return {}

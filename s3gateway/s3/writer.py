# SPDX-License-Identifier: Apache-2.0
"""A multipart upload to S3."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from typing import Any
from urllib import parse

from oslo_log import log as logging

from s3gateway.errors import ObjectNotFound
from s3gateway.errors import StoreError
from s3gateway.errors import StoreUnavailable
from s3gateway.store import Buffers

if TYPE_CHECKING:
    from s3gateway.s3.store import S3Store

LOG = logging.getLogger(__name__)


class S3Writer:
    """A multipart upload; parts may come from several threads at once."""

    def __init__(self, store: S3Store, key: str, upload_id: str) -> None:
        self.upload_id = upload_id
        self._store = store
        self._key = key
        self._cancelled = threading.Event()
        self._parts: dict[int, dict[str, Any]] = {}
        self._size = 0
        self._lock = threading.Lock()

    def send(self, number: int, part: Buffers) -> None:
        query = parse.urlencode({"partNumber": number, "uploadId": self.upload_id})
        headers = self._store.patiently(
            self._key,
            lambda: self._store.send("PUT", self._key, part, query=query),
            cancelled=self._cancelled,
        )
        entry = {"PartNumber": number, "ETag": headers.get("ETag", "")}
        if checksum := headers.get("x-amz-checksum-crc32"):
            entry["ChecksumCRC32"] = checksum
        with self._lock:
            self._parts[number] = entry
            self._size += sum(map(len, part))

    def add(self, number: int, etag: str, size: int) -> None:
        """Take note of a part that came into the upload in another way."""
        with self._lock:
            self._parts[number] = {"PartNumber": number, "ETag": etag}
            self._size += size

    def commit(self) -> None:
        self._store.patiently(self._key, self._complete)

    def cancel(self) -> None:
        self._cancelled.set()

    def abort(self) -> None:
        try:
            self._store.abandon(self._key, self.upload_id)
        except StoreError as error:
            LOG.error("An upload of %s was left behind: %s", self._key, error)

    def _complete(self) -> None:
        """Complete the upload, once, and find out what a strange answer means.

        After a lost answer the upload may be complete; then it no longer exists
        when it is tried again, and its object does.
        """
        parts = [self._parts[number] for number in sorted(self._parts)]
        try:
            self._store.ask(
                "complete_multipart_upload",
                Key=self._key,
                UploadId=self.upload_id,
                MultipartUpload={"Parts": parts},
            )
        except (ObjectNotFound, StoreUnavailable) as error:
            if not self._is_there():
                raise error from None

    def _is_there(self) -> bool:
        try:
            return self._store.stat(self._key).size == self._size
        except StoreError:
            return False

# SPDX-License-Identifier: Apache-2.0
"""A multipart upload to S3: it is begun, completed, or abandoned."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

from oslo_log import log as logging

from s3gateway.errors import ObjectNotFound
from s3gateway.errors import StoreError
from s3gateway.errors import StoreUnavailable
from s3gateway.http.ranges import Span
from s3gateway.s3 import errors as s3errors
from s3gateway.s3.bucket import CLEANING_TIME
from s3gateway.s3.bucket import Bucket
from s3gateway.s3.bucket import Source
from s3gateway.store import About
from s3gateway.store import Buffers

LOG = logging.getLogger(__name__)


class S3Writer:
    """A multipart upload; parts may come from several threads at once."""

    def __init__(self, bucket: Bucket, key: str, upload_id: str) -> None:
        self.upload_id = upload_id
        self._bucket = bucket
        self._key = key
        self._cancelled = threading.Event()
        self._parts: dict[int, dict[str, Any]] = {}
        self._size = 0
        self._lock = threading.Lock()

    def send(self, number: int, part: Buffers) -> None:
        entry = self._bucket.patiently(
            self._key,
            lambda: self._bucket.put_part(self._key, self.upload_id, number, part),
            cancelled=self._cancelled,
        )
        self._took(entry, sum(map(len, part)))

    def copy(self, number: int, source: Source, span: Span) -> None:
        """Have the server copy a part out of an object of its own."""
        entry = self._bucket.patiently(
            self._key,
            lambda: self._bucket.copy_part(
                self._key, self.upload_id, number, source, span
            ),
            cancelled=self._cancelled,
        )
        self._took(entry, span.length)

    def commit(self) -> None:
        self._bucket.patiently(self._key, self._complete)

    def cancel(self) -> None:
        self._cancelled.set()

    def abort(self) -> None:
        try:
            abandon(self._bucket, self._key, self.upload_id)
        except StoreError as error:
            LOG.error("An upload of %s was left behind: %s", self._key, error)

    def _took(self, entry: dict[str, Any], size: int) -> None:
        with self._lock:
            self._parts[entry["PartNumber"]] = entry
            self._size += size

    def _complete(self) -> None:
        """Complete the upload, once, and find out what a strange answer means.

        After a lost answer the upload may be complete; then it no longer exists
        when it is tried again, and its object does.
        """
        parts = [self._parts[number] for number in sorted(self._parts)]
        try:
            self._bucket.ask(
                "complete_multipart_upload",
                Key=self._key,
                UploadId=self.upload_id,
                MultipartUpload={"Parts": parts},
            )
        except (ObjectNotFound, StoreUnavailable) as error:
            if not self._is_there():
                raise error from None

    def _is_there(self) -> bool:
        ask = self._bucket.ask
        try:
            head = self._bucket.patiently(
                self._key, lambda: ask("head_object", Key=self._key)
            )
        except StoreError:
            return False
        return bool(head.get("ContentLength") == self._size)


def begin(bucket: Bucket, key: str, about: About) -> S3Writer:
    """Begin a multipart upload, and no second one should the answer get lost."""
    answer_lost = False

    def create() -> str:
        nonlocal answer_lost
        try:
            return bucket.begin(key, about)
        except StoreUnavailable:
            answer_lost = True
            raise

    upload_id = ""
    try:
        upload_id = bucket.patiently(key, create)
    finally:
        if answer_lost:
            _clean_up(bucket, key, but=upload_id)
    return S3Writer(bucket, key, upload_id)


def abandon(bucket: Bucket, key: str, upload_id: str = "") -> None:
    """Abort the uploads to a key: one that is known, and those that are listed."""
    if upload_id:
        _abort(bucket, key, upload_id)
    try:
        _abort_others(bucket, key)
    except StoreUnavailable:
        raise
    except StoreError as error:  # it lists none, or not for us
        LOG.info("Uploads of object %s were not looked for: %s", key, error)


def _clean_up(bucket: Bucket, key: str, but: str) -> None:
    """Abort the uploads that began although their answers were lost."""
    try:
        _abort_others(bucket, key, but=but)
    except StoreError as error:
        LOG.warning("An upload of object %s may have been left: %s", key, error)


def _abort_others(bucket: Bucket, key: str, but: str = "") -> None:
    page = bucket.patiently(
        key,
        lambda: bucket.ask("list_multipart_uploads", Prefix=key),
        retry_time=CLEANING_TIME,
    )
    for upload in page.get("Uploads", []):
        upload_id = s3errors.said(bucket.name, upload, "UploadId")
        if s3errors.said(bucket.name, upload, "Key") == key and upload_id != but:
            _abort(bucket, key, upload_id)


def _abort(bucket: Bucket, key: str, upload_id: str) -> None:
    with contextlib.suppress(ObjectNotFound):
        bucket.patiently(
            key,
            lambda: bucket.ask("abort_multipart_upload", Key=key, UploadId=upload_id),
            retry_time=CLEANING_TIME,
        )

# SPDX-License-Identifier: Apache-2.0
"""Multipart uploads to S3: begins, completes and aborts them."""

from __future__ import annotations

import contextlib
import hashlib
import re
import threading
from collections.abc import Callable
from collections.abc import Iterable
from typing import Any

from oslo_log import log as logging

from s3gateway.errors import ObjectNotFound
from s3gateway.errors import StoreError
from s3gateway.errors import StoreUnavailable
from s3gateway.http.ranges import Span
from s3gateway.s3 import errors as s3errors
from s3gateway.s3 import listing
from s3gateway.s3 import seals
from s3gateway.s3.bucket import CLEANING_TIME
from s3gateway.s3.bucket import Bucket
from s3gateway.s3.bucket import Source
from s3gateway.s3.seals import USUAL
from s3gateway.store import About
from s3gateway.store import Buffers
from s3gateway.store import Parts

LOG = logging.getLogger(__name__)


_MD5 = re.compile(r"[0-9a-f]{32}")


class S3Writer:
    """A multipart upload; parts may come from several threads at once.

    :param unsigned: whether a CRC32 vouches for the parts, and not the signature
    """

    def __init__(
        self, bucket: Bucket, key: str, upload_id: str, *, unsigned: bool = False
    ) -> None:
        self.upload_id = upload_id
        self._unsigned = unsigned
        self._bucket = bucket
        self._key = key
        self._cancelled = threading.Event()
        self._parts: dict[int, dict[str, Any]] = {}
        self._size = 0
        self._lock = threading.Lock()

    def send(self, number: int, part: Buffers) -> str:
        seal = seals.by_crc32(part) if self._unsigned else USUAL
        put = self._bucket.put_part
        return self._add(
            lambda: put(self._key, self.upload_id, number, part, seal=seal),
            sum(map(len, part)),
        )

    def copy(self, number: int, source: Source, span: Span) -> None:
        """Make the server copy a part from one of its own objects."""
        copy = self._bucket.copy_part
        self._add(
            lambda: copy(self._key, self.upload_id, number, source, span), span.length
        )

    def commit(self, parts: Parts | None = None) -> str:
        if parts is not None:
            self._parts = _named(parts)
            try:
                self._take_listed()
            except ObjectNotFound as error:
                return self._completed_before(error)
        return self._bucket.patiently(self._key, self._complete)

    def cancel(self) -> None:
        self._cancelled.set()

    def abort(self) -> None:
        try:
            abandon(self._bucket, self._key, self.upload_id)
        except StoreError as error:
            LOG.error("An upload of %s was left behind: %s", self._key, error)

    def _take_listed(self) -> None:
        """Take the sizes and checksums of parts that others have sent.

        :raises ObjectNotFound: if there is no such upload
        """
        self._size = 0
        try:
            listed = {
                part.number: part
                for part in listing.parts(self._bucket, self._key, self.upload_id)
            }
        except (ObjectNotFound, StoreUnavailable):
            raise
        except StoreError as error:  # it cannot list them, or we may not
            LOG.info("Parts of object %s could not be listed: %s", self._key, error)
            self._size = -1
            return
        for number, entry in self._parts.items():
            part = listed.get(number)
            if part is None or part.etag.strip('"') != entry["ETag"].strip('"'):
                raise s3errors.of_answer(self._bucket.name, 400, "InvalidPart")
            entry.update({"ETag": part.etag, **part.checksum})
            self._size += part.size

    def _completed_before(self, error: ObjectNotFound) -> str:
        """Return the etag of the object that an earlier call has made of the parts.

        :raises ObjectNotFound: if there is none
        """
        self._size = -1
        etag = self._found()
        if etag is None:
            raise error
        return etag

    def _add(self, put: Callable[[], dict[str, Any]], size: int) -> str:
        """Send a part, with retries, and remember its entry for the completion."""
        entry = self._bucket.patiently(self._key, put, cancelled=self._cancelled)
        with self._lock:
            self._parts[entry["PartNumber"]] = entry
            self._size += size
        return str(entry.get("ETag", ""))

    def _complete(self) -> str:
        """Complete the upload, once; after an error, look for the object.

        If an answer was lost, the upload may be complete.  The next try then finds no
        upload, but the object exists.
        """
        parts = [self._parts[number] for number in sorted(self._parts)]
        try:
            answer = self._bucket.ask(
                "complete_multipart_upload",
                Key=self._key,
                UploadId=self.upload_id,
                MultipartUpload={"Parts": parts},
            )
        except (ObjectNotFound, StoreUnavailable) as error:
            etag = self._found()
            if etag is None:
                raise error from None
            return etag
        return str(answer.get("ETag", ""))

    def _found(self) -> str | None:
        """Return the etag of the object that the parts make, ``None`` without it."""
        ask = self._bucket.ask
        try:
            head = self._bucket.patiently(
                self._key, lambda: ask("head_object", Key=self._key)
            )
        except StoreError:
            return None
        etag = str(head.get("ETag", ""))
        made = _etag_of(self._parts[number] for number in sorted(self._parts))
        known = head.get("ContentLength") == self._size or etag.strip('"') == made
        return etag if known else None


def _named(parts: Parts) -> dict[int, dict[str, Any]]:
    """Return the entries of parts for the completion, by number."""
    return {number: {"PartNumber": number, "ETag": etag} for number, etag in parts}


def _etag_of(parts: Iterable[dict[str, Any]]) -> str:
    """Return the etag that S3 makes of those of the parts.

    It does where the etag of a part is its MD5, thus without SSE-KMS and SSE-C.
    """
    etags = [part["ETag"].strip('"') for part in parts]
    if not all(map(_MD5.fullmatch, etags)):
        return "not known"
    digest = hashlib.md5(b"".join(map(bytes.fromhex, etags)), usedforsecurity=False)
    return f"{digest.hexdigest()}-{len(etags)}"


def begin(
    bucket: Bucket, key: str, about: About, *, unsigned: bool = False
) -> S3Writer:
    """Begin a multipart upload; if an answer is lost, abort the extra uploads.

    :param unsigned: as of ``S3Writer``
    """
    answer_lost = False

    def create() -> str:
        nonlocal answer_lost
        try:
            return bucket.begin(key, about, crc32=unsigned)
        except StoreUnavailable:
            answer_lost = True
            raise

    upload_id = ""
    try:
        upload_id = bucket.patiently(key, create)
    finally:
        if answer_lost:
            _clean_up(bucket, key, but=upload_id)
    return S3Writer(bucket, key, upload_id, unsigned=unsigned)


def abandon(
    bucket: Bucket, key: str, upload_id: str = "", *, others: bool = True
) -> None:
    """Abort the uploads to a key: the known one, and perhaps all that are listed."""
    if upload_id:
        _abort(bucket, key, upload_id)
    if not others:
        return
    try:
        _abort_others(bucket, key)
    except StoreUnavailable:
        raise
    except StoreError as error:  # it cannot list them, or we may not
        LOG.info("Uploads of object %s could not be listed: %s", key, error)


def _clean_up(bucket: Bucket, key: str, but: str) -> None:
    """Abort the uploads whose answers were lost."""
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

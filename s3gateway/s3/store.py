# SPDX-License-Identifier: Apache-2.0
"""One bucket of one S3 server, as ``s3gateway.store`` describes a store."""

from __future__ import annotations

import contextlib
import functools
import math
import threading
import zlib
from base64 import b64encode
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Any
from typing import TypeVar

import urllib3
from botocore import exceptions as boto
from oslo_log import log as logging

from s3gateway.config.settings import TransferSettings
from s3gateway.config.stores import StoreSettings
from s3gateway.errors import ObjectExists
from s3gateway.errors import ObjectNotFound
from s3gateway.errors import StoreError
from s3gateway.errors import StoreUnavailable
from s3gateway.http.ranges import Span
from s3gateway.s3 import buckets
from s3gateway.s3 import conditional
from s3gateway.s3 import errors as s3errors
from s3gateway.s3 import http as s3http
from s3gateway.s3 import listing
from s3gateway.s3 import metadata
from s3gateway.s3.access import Access
from s3gateway.s3.conditional import ConditionalPut
from s3gateway.s3.connection import Connection
from s3gateway.s3.reader import S3Reader
from s3gateway.s3.writer import S3Writer
from s3gateway.store import NOTHING
from s3gateway.store import About
from s3gateway.store import Buffers
from s3gateway.store import Listed
from s3gateway.store import Note
from s3gateway.store import ObjectInfo
from s3gateway.streams.retries import patiently

LOG = logging.getLogger(__name__)

T = TypeVar("T")

_MOST_OF_A_NOTE = 64 * 1024
#: Cleaning up is tried for so long: who waits for the answer has failed already.
_CLEANING_TIME = 5.0  # seconds


class S3Store:
    """A store; it connects when it is first used, not when it is made.

    WSGI servers fork after they have loaded the application, and a connection
    must not be shared by two processes.
    """

    def __init__(self, settings: StoreSettings, transfer: TransferSettings) -> None:
        self.settings = settings
        self.transfer = transfer
        self.knows_ranges = True
        self._access = Access(settings, transfer)

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def connection(self) -> Connection:
        """The connection, another one when the keys have changed."""
        return self._access.connection

    def put(
        self,
        key: str,
        data: Buffers,
        *,
        if_absent: bool = False,
        if_match: str = "",
        about: About | None = None,
    ) -> str:
        headers = metadata.headers(self.settings.writing, about)
        if if_match:
            return self._replace(key, data, headers, if_match)
        if if_absent and self._conditional_put is ConditionalPut.IGNORED:
            self._must_be_absent(key)
        elif if_absent:
            headers["If-None-Match"] = "*"
        answer = self.patiently(
            key,
            lambda: self._in_bucket(lambda: self.send("PUT", key, data, headers)),
        )
        return answer.get("ETag", "")

    def _must_be_absent(self, key: str) -> None:
        try:
            self.stat(key)
        except ObjectNotFound:
            return
        raise ObjectExists(f"Store {self.name} has such an object")

    def _replace(
        self, key: str, data: Buffers, headers: Mapping[str, str], etag: str
    ) -> str:
        # Ceph knows the etag without quotes only; the others know it either way.
        only = {**headers, "If-Match": etag.strip('"')}

        def put() -> Mapping[str, str]:
            try:
                return self.send("PUT", key, data, only)
            except StoreError as error:
                if type(error) is not StoreError:
                    raise
            return self.send("PUT", key, data, headers)  # it knows no such header

        return self.patiently(key, put).get("ETag", "")

    def decides_between_writers(self) -> bool:
        return self._conditional_put is ConditionalPut.DECIDES

    def note(self, key: str, *, cleaning: bool = False) -> Note:
        retry_time = _CLEANING_TIME if cleaning else math.inf
        return self.patiently(key, lambda: self._note(key), retry_time=retry_time)

    def objects(self, prefix: str) -> Iterator[Listed]:
        return listing.objects(self, prefix)

    def uploads(self) -> Iterator[Listed]:
        return listing.uploads(self)

    def abandon(self, key: str, upload_id: str = "") -> None:
        if upload_id:
            self._abort(key, upload_id)
        try:
            self._abort_others(key)
        except StoreUnavailable:
            raise
        except StoreError as error:  # it lists none, or not for us
            LOG.info("Uploads of object %s were not looked for: %s", key, error)

    def begin(self, key: str, about: About = NOTHING) -> S3Writer:
        options = metadata.parameters(self.settings.writing, about)
        if self._adds_checksums:
            options["ChecksumAlgorithm"] = "CRC32"
        answer_lost = False

        def create() -> dict[str, Any]:
            nonlocal answer_lost
            try:
                return self.ask("create_multipart_upload", Key=key, **options)
            except StoreUnavailable:
                answer_lost = True
                raise

        upload_id = ""
        try:
            answer = self.patiently(key, lambda: self._in_bucket(create))
            upload_id = answer["UploadId"]
        finally:
            if answer_lost:
                self._clean_up(key, but=upload_id)
        return S3Writer(self, key, upload_id)

    def stat(self, key: str) -> ObjectInfo:
        answer = self.patiently(key, lambda: self.ask("head_object", Key=key))
        return ObjectInfo(answer["ContentLength"], answer["ETag"])

    def read(
        self, key: str, span: Span, *, size: int, etag: str = "", bucket: str = ""
    ) -> S3Reader:
        headers = {"If-Match": etag} if etag else {}
        if span.length < size:
            headers["Range"] = f"bytes={span.start}-{span.stop - 1}"
        try:
            answer = self.get(key, headers, bucket)
        except ObjectExists as error:  # 412, which for a write means something else
            raise ObjectNotFound(str(error)) from None
        reader = S3Reader(self.name, answer, span, size, etag)
        if not reader.ranged and self.knows_ranges:
            LOG.warning("Store %s answers ranges with whole objects", self.name)
            self.knows_ranges = False
        return reader

    def ping(self) -> None:
        buckets.ping(self)

    def delete(self, key: str) -> None:
        self.patiently(
            key, lambda: self.ask("delete_object", Key=key), retry_time=_CLEANING_TIME
        )

    def ask(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """Do one of boto3's operations on the bucket, once."""

        def do(connection: Connection) -> dict[str, Any]:
            method = getattr(connection.client, operation)
            try:
                return method(Bucket=self.settings.bucket, **parameters)  # type: ignore[no-any-return]
            except (boto.BotoCoreError, boto.ClientError) as error:
                raise s3errors.of_boto(self.name, error) from None

        return self._access.allowed(do)

    def send(
        self,
        method: str,
        key: str,
        data: Buffers,
        headers: Mapping[str, str] = MappingProxyType({}),
        query: str = "",
        payload: str = "",
    ) -> Mapping[str, str]:
        """Send a body, once; return the headers of the answer.

        :param payload: what the signature says of the body, if not the truth
        """
        headers = {**headers, "Content-Length": str(sum(map(len, data)))}
        if self._adds_checksums:
            headers["x-amz-checksum-crc32"] = _crc32(data)

        def put(connection: Connection) -> urllib3.BaseHTTPResponse:
            # Over plain http the signature must vouch for the bytes; TLS does it.
            digest = s3http.UNSIGNED if connection.secure else s3http.payload_hash(data)
            url = connection.url(self.settings.bucket, key, query)
            signed = connection.signer.headers(method, url, headers, payload or digest)
            return connection.http.send(method, url, signed, data)

        answer = self._access.allowed(put)
        answer.drain_conn()
        return answer.headers

    def patiently(
        self,
        key: str,
        do: Callable[[], T],
        *,
        cancelled: threading.Event | None = None,
        retry_time: float = math.inf,
    ) -> T:
        """Try again what the store is not available for, for a limited time."""
        return patiently(
            do,
            about=f"object {key}",
            retry_time=min(self.transfer.retry_time, retry_time),
            cancelled=cancelled,
            store=self.name,
        )

    def get(
        self, key: str, headers: Mapping[str, str], bucket: str = ""
    ) -> urllib3.BaseHTTPResponse:
        """Ask for an object, once; return the answer with its body unread."""

        def get(connection: Connection) -> urllib3.BaseHTTPResponse:
            url = connection.url(bucket or self.settings.bucket, key)
            signed = connection.signer.headers("GET", url, headers, s3http.EMPTY)
            return connection.http.send("GET", url, signed)

        return self._access.allowed(get)

    def _note(self, key: str) -> Note:
        answer = self.get(key, {})
        with contextlib.closing(answer):
            try:
                data = answer.read(_MOST_OF_A_NOTE)
            except s3http.BROKEN as error:
                raise s3errors.of_urllib3(self.name, error) from None
        now, then = (
            parsedate_to_datetime(answer.headers[name])
            for name in ("Date", "Last-Modified")
        )
        return Note(data, answer.headers.get("ETag", ""), (now - then).total_seconds())

    def _clean_up(self, key: str, but: str) -> None:
        """Abort the uploads that began although their answers were lost."""
        try:
            self._abort_others(key, but=but)
        except StoreError as error:
            LOG.warning("An upload of object %s may have been left: %s", key, error)

    def _abort_others(self, key: str, but: str = "") -> None:
        page = self.patiently(
            key,
            lambda: self.ask("list_multipart_uploads", Prefix=key),
            retry_time=_CLEANING_TIME,
        )
        for upload in page.get("Uploads", []):
            if upload["Key"] == key and upload["UploadId"] != but:
                self._abort(key, upload["UploadId"])

    def _abort(self, key: str, upload_id: str) -> None:
        with contextlib.suppress(ObjectNotFound):
            self.patiently(
                key,
                lambda: self.ask("abort_multipart_upload", Key=key, UploadId=upload_id),
                retry_time=_CLEANING_TIME,
            )

    @functools.cached_property
    def _conditional_put(self) -> ConditionalPut:
        return conditional.conditional_put(self)

    @property
    def _adds_checksums(self) -> bool:
        return self.settings.request_checksums == "when_supported"

    def _in_bucket(self, do: Callable[[], T]) -> T:
        """Do something that needs the bucket, which may have to be created."""
        try:
            return do()
        except ObjectNotFound:
            if not self.settings.create_bucket:
                raise StoreError(
                    f"The bucket of store {self.name} does not exist; create it, or "
                    f"set s3_store_create_bucket_on_put in [{self.name}]"
                ) from None
        buckets.create(self, self._access.region or self.settings.region)
        return do()


def _crc32(data: Buffers) -> str:
    checksum = 0
    for buffer in data:
        checksum = zlib.crc32(buffer, checksum)
    return b64encode(checksum.to_bytes(4, "big")).decode()

# SPDX-License-Identifier: Apache-2.0
"""One bucket of an S3 server: how it is asked, written to, created and pinged.

Every object that is written goes through ``put``, ``begin`` or ``copy``, which add
what the store's options say of one.
"""

from __future__ import annotations

import contextlib
import functools
import math
import threading
from collections.abc import Callable
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from typing import TypeVar
from urllib import parse

import urllib3
from botocore import exceptions as boto
from botocore import parsers
from oslo_log import log as logging

from s3gateway.config.settings import TransferSettings
from s3gateway.config.stores import StoreSettings
from s3gateway.errors import ObjectExists
from s3gateway.errors import ObjectNotFound
from s3gateway.errors import StoreError
from s3gateway.http.ranges import Span
from s3gateway.s3 import errors as s3errors
from s3gateway.s3 import http as s3http
from s3gateway.s3 import metadata
from s3gateway.s3.connection import Access
from s3gateway.s3.connection import Connection
from s3gateway.store import About
from s3gateway.store import Buffers
from s3gateway.streams.retries import patiently

LOG = logging.getLogger(__name__)

T = TypeVar("T")

#: A bucket of the same server, and the key of an object in it.
Source = tuple[str, str]

NONE: Mapping[str, str] = MappingProxyType({})
#: What lists as little as there can be of a bucket.
_SHORT_LIST = "list-type=2&max-keys=1&prefix=-"
#: Cleaning up is tried for so long: who waits for the answer has failed already.
CLEANING_TIME = 5.0  # seconds


class Bucket:
    """A bucket; it connects when it is first asked, not when it is made.

    WSGI servers fork after they have loaded the application, and a connection
    must not be shared by two processes.
    """

    def __init__(self, settings: StoreSettings, transfer: TransferSettings) -> None:
        self.settings = settings
        self.transfer = transfer
        self._access = Access(settings, transfer)

    @property
    def name(self) -> str:
        """The store's identifier."""
        return self.settings.name

    @property
    def is_down(self) -> bool:
        """Whether the server did not answer when it was asked a moment ago."""
        return self._access.is_down

    @property
    def connection(self) -> Connection:
        """The connection, another one when the keys have changed."""
        return self._access.connection

    def put(
        self,
        key: str,
        data: Buffers,
        about: About | None = None,
        *,
        condition: Mapping[str, str] = NONE,
        payload: str = "",
    ) -> str:
        """Write an object, once; return its etag.

        :param about: as of ``ObjectStore.put``
        :param condition: headers that say when not to
        :param payload: what the signature says of the body, if not the truth
        """
        headers = {
            **metadata.headers(self.settings.writing, about),
            **self._checksum(data),
            **condition,
        }
        send = functools.partial(self._send, key, data, headers, payload=payload)
        return self._in_place(send).get("ETag", "")

    def begin(self, key: str, about: About | None) -> str:
        """Begin a multipart upload, once; return its id."""
        options = self._options(about)
        answer = self._in_place(
            lambda: self.ask("create_multipart_upload", Key=key, **options)
        )
        return str(s3errors.said(self.name, answer, "UploadId"))

    def put_part(
        self, key: str, upload_id: str, number: int, data: Buffers
    ) -> dict[str, Any]:
        """Send a part, once; return what completes the upload with it."""
        query = parse.urlencode({"partNumber": number, "uploadId": upload_id})
        checksum = self._checksum(data)
        answer = self._send(key, data, checksum, query)
        entry = {"PartNumber": number, "ETag": answer.get("ETag", "")}
        if checksum:
            entry["ChecksumCRC32"] = checksum[metadata.CRC32]
        return entry

    def copy(self, key: str, source: Source, about: About | None) -> None:
        """Have the server copy an object of its own, once.

        What S3 is told of the copy is what it is told of any other object, and not
        what it was told of the source.
        """
        self.ask(
            "copy_object",
            Key=key,
            CopySource=_source(source),
            MetadataDirective="REPLACE",
            **self._options(about),
        )

    def copy_part(
        self, key: str, upload_id: str, number: int, source: Source, span: Span
    ) -> dict[str, Any]:
        """Have the server copy a part, once; return what completes the upload."""
        answer = self.ask(
            "upload_part_copy",
            Key=key,
            UploadId=upload_id,
            PartNumber=number,
            CopySource=_source(source),
            CopySourceRange=f"bytes={span.start}-{span.stop - 1}",
        )
        result = s3errors.said(self.name, answer, "CopyPartResult")
        names = ("ETag", "ChecksumCRC32")
        return {"PartNumber": number, **{n: result[n] for n in names if n in result}}

    def get(
        self, key: str, headers: Mapping[str, str] = NONE, bucket: str = ""
    ) -> urllib3.BaseHTTPResponse:
        """Ask for an object, once; return the answer with its body unread.

        :param bucket: where it is; this bucket if empty
        """
        return self._bare("GET", key, headers, bucket=bucket)

    def ask(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """Do one of boto3's operations on the bucket, once."""

        def do(connection: Connection) -> dict[str, Any]:
            method = getattr(connection.client, operation)
            try:
                return method(Bucket=self.settings.bucket, **parameters)  # type: ignore[no-any-return]
            except (boto.BotoCoreError, boto.ClientError) as error:
                raise s3errors.of_boto(self.name, error) from None
            except (parsers.ResponseParserError, ValueError):
                raise s3errors.not_s3(self.name) from None

        return self._access.allowed(do)

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

    def delete(self, key: str, retry_time: float = CLEANING_TIME) -> None:
        """Delete an object, patiently; it is no error if there is none."""
        self.patiently(
            key, lambda: self._bare("DELETE", key).drain_conn(), retry_time=retry_time
        )

    def ping(self) -> None:
        """Ask the bucket for a sign of life, once; one to be created has none.

        :raises StoreError: if there is none
        """
        # Not HEAD: an error in answer to it has no body that says which one.
        try:
            self._bare("GET", "", query=_SHORT_LIST).drain_conn()
        except ObjectNotFound:
            if not self.settings.create_bucket:
                raise

    def create(self, region: str) -> None:
        """Create the bucket; it is no error if there is one by now.

        :param region: where, may be empty
        :raises StoreError: if there is no bucket then
        """
        LOG.info("Creating the bucket of store %s", self.name)
        # S3's first region is the one that may not be named here.
        named = region and region != "us-east-1"
        try:
            self._create({"LocationConstraint": region} if named else {})
        except StoreError as error:
            # To Ceph the constraint is a zonegroup, which a region is often not.
            if not named or "LocationConstraint" not in error.code:
                raise
            self._create({})

    def _checksum(self, data: Buffers) -> dict[str, str]:
        wanted = self.settings.request_checksums == "when_supported"
        return metadata.checksum(data) if wanted else {}

    def _options(self, about: About | None) -> dict[str, Any]:
        """Return what boto3 is told of an object that it makes."""
        options = metadata.parameters(self.settings.writing, about)
        if self.settings.request_checksums == "when_supported":
            options["ChecksumAlgorithm"] = "CRC32"
        return options

    def _create(self, where: Mapping[str, str]) -> None:
        configuration = {"CreateBucketConfiguration": where} if where else {}
        with contextlib.suppress(ObjectExists):  # somebody else was faster
            self.ask("create_bucket", **configuration)

    def _send(
        self,
        key: str,
        data: Buffers,
        headers: Mapping[str, str],
        query: str = "",
        payload: str = "",
    ) -> Mapping[str, str]:
        """Send a body, once; return the headers of the answer."""
        headers = {**headers, "Content-Length": str(sum(map(len, data)))}
        answer = self._bare(
            "PUT", key, headers, query=query, data=data, payload=payload
        )
        answer.drain_conn()
        return answer.headers

    def _bare(
        self,
        method: str,
        key: str,
        headers: Mapping[str, str] = NONE,
        *,
        query: str = "",
        bucket: str = "",
        data: Buffers = (),
        payload: str = "",
    ) -> urllib3.BaseHTTPResponse:
        """Ask without boto3, which knows no time-outs of a request; once.

        :return: the answer with its body unread
        """

        def send(connection: Connection) -> urllib3.BaseHTTPResponse:
            url = connection.url(bucket or self.settings.bucket, key, query)
            # Over plain http the signature must vouch for the bytes; TLS does it.
            unsigned = connection.secure and method == "PUT"
            digest = s3http.UNSIGNED if unsigned else s3http.payload_hash(data)
            signed = connection.signer.headers(method, url, headers, payload or digest)
            return connection.http.send(method, url, signed, data)

        return self._access.allowed(send)

    def _in_place(self, do: Callable[[], T]) -> T:
        """Do something that needs the bucket, which may have to be created."""
        try:
            return do()
        except ObjectNotFound as error:
            if error.code == "NoSuchKey":
                raise
            if not self.settings.create_bucket:
                raise StoreError(
                    f"The bucket of store {self.name} does not exist; create it, or "
                    f"set s3_store_create_bucket_on_put in [{self.name}]"
                ) from None
        self.create(self._access.region or self.settings.region)
        return do()


def _source(source: Source) -> dict[str, str]:
    return dict(zip(("Bucket", "Key"), source, strict=True))

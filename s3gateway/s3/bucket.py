# SPDX-License-Identifier: Apache-2.0
"""Requests to one bucket of an S3 server.

Every new object goes through ``put``, ``begin`` or ``copy``, which add the encryption,
storage class and metadata that the store's options say.
"""

from __future__ import annotations

import functools
import math
import threading
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any
from typing import TypeVar
from urllib import parse

import urllib3
from botocore import exceptions as boto
from botocore import parsers
from oslo_log import log as logging

from s3gateway.config.settings import TransferSettings
from s3gateway.config.stores import StoreSettings
from s3gateway.errors import ObjectNotFound
from s3gateway.errors import StoreError
from s3gateway.http.ranges import Span
from s3gateway.s3 import creation
from s3gateway.s3 import errors as s3errors
from s3gateway.s3 import metadata
from s3gateway.s3.connection import Access
from s3gateway.s3.connection import Connection
from s3gateway.s3.credentials import Chained
from s3gateway.s3.seals import NONE
from s3gateway.s3.seals import USUAL
from s3gateway.s3.seals import Seal
from s3gateway.store import About
from s3gateway.store import Buffers
from s3gateway.streams.retries import patiently

LOG = logging.getLogger(__name__)

T = TypeVar("T")

#: A bucket of the same server, and the key of an object in it.
Source = tuple[str, str]

_CRC32 = {"ChecksumAlgorithm": "CRC32"}
#: The shortest list of a bucket.
_SHORT_LIST = "list-type=2&max-keys=1&prefix=-"
#: How long a clean-up is retried: its request has already failed, and the client waits.
CLEANING_TIME = 5.0  # seconds


class Bucket:
    """A bucket; it connects with the first request, not when it is made.

    WSGI servers fork after they have loaded the application, and two processes must not
    share a connection.
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
        """Whether the last request, a moment ago, got no answer."""
        return self._access.is_down

    @property
    def connection(self) -> Connection:
        """The connection; a new one after the keys have changed."""
        return self._access.connection

    @property
    def chained(self) -> Chained | None:
        """The credentials of botocore's chain, ``None`` if it is not used."""
        return self._access.chained

    def put(
        self,
        key: str,
        data: Buffers,
        about: About | None = None,
        *,
        condition: Mapping[str, str] = NONE,
        seal: Seal = USUAL,
    ) -> str:
        """Write an object, once; return its etag.

        :param about: as of ``ObjectStore.put``
        :param condition: headers of a conditional request
        :param seal: another protection of the body than the usual
        """
        headers = {
            **metadata.headers(self.settings.writing, about),
            **self._checksum(data, seal),
            **condition,
        }
        send = functools.partial(self._send, key, data, headers, payload=seal.payload)
        return self._in_place(send).get("ETag", "")

    def begin(self, key: str, about: About | None, *, crc32: bool = False) -> str:
        """Begin a multipart upload, once; return its id.

        :param crc32: whether its parts have one, whatever the options say
        """
        options = self._options(about) | (_CRC32 if crc32 else {})
        answer = self._in_place(
            lambda: self.ask("create_multipart_upload", Key=key, **options)
        )
        return str(s3errors.said(self.name, answer, "UploadId"))

    def put_part(
        self, key: str, upload_id: str, number: int, data: Buffers, seal: Seal = USUAL
    ) -> dict[str, Any]:
        """Send a part, once; return its entry for the completion."""
        query = parse.urlencode({"partNumber": number, "uploadId": upload_id})
        checksum = self._checksum(data, seal)
        answer = self._send(key, data, checksum, query, seal.payload)
        entry = {"PartNumber": number, "ETag": answer.get("ETag", "")}
        if checksum:
            entry["ChecksumCRC32"] = checksum[metadata.CRC32]
        return entry

    def copy(self, key: str, source: Source, about: About | None) -> None:
        """Make the server copy one of its own objects, once.

        The copy gets the store's encryption, class and metadata, not the source's.
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
        """Make the server copy a part, once; return its entry for the completion."""
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
        """GET an object, once; return the answer with its body unread.

        :param bucket: another bucket of the server; this one if empty
        """
        return self._bare("GET", key, headers, bucket=bucket)

    def ask(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """Call an operation of boto3's on the bucket, once."""

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
        """Retry for a limited time while the store is unavailable."""
        return patiently(
            do,
            about=f"object {key}" if key else "bucket",
            retry_time=min(self.transfer.retry_time, retry_time),
            cancelled=cancelled,
            store=self.name,
        )

    def delete(self, key: str, retry_time: float = CLEANING_TIME) -> None:
        """Delete an object, with retries; it is no error if there is none."""
        self.patiently(
            key, lambda: self._bare("DELETE", key).drain_conn(), retry_time=retry_time
        )

    def ping(self) -> None:
        """Send one cheap request; a missing bucket that may be created is no error.

        :raises StoreError: if the request fails
        """
        # Not HEAD: its error response has no body with an error code.
        try:
            self._bare("GET", "", query=_SHORT_LIST).drain_conn()
        except ObjectNotFound:
            if not self.settings.create_bucket:
                raise

    def create(self, region: str) -> None:
        """Create the bucket; it is no error if it exists.

        :param region: its region; may be empty
        :raises StoreError: if it does not exist afterwards
        """
        LOG.info("Creating the bucket of store %s", self.name)
        creation.create(lambda **how: self.ask("create_bucket", **how), region)

    @property
    def _adds_checksums(self) -> bool:
        return self.settings.request_checksums == "when_supported"

    def _checksum(self, data: Buffers, seal: Seal) -> Mapping[str, str]:
        if seal.checksum or not self._adds_checksums:
            return seal.checksum
        return metadata.checksum(data)

    def _options(self, about: About | None) -> dict[str, Any]:
        """Return boto3's parameters for a new object."""
        options = metadata.parameters(self.settings.writing, about)
        return options | (_CRC32 if self._adds_checksums else {})

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
        """Send a request without boto3, which has no time-outs for one request; once.

        :return: the answer with its body unread
        """
        where = bucket or self.settings.bucket
        return self._access.allowed(
            lambda connection: connection.send(
                method, connection.url(where, key, query), headers, data, payload
            )
        )

    def _in_place(self, do: Callable[[], T]) -> T:
        """Call a function that needs the bucket; create the bucket if allowed."""
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

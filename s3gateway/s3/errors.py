# SPDX-License-Identifier: Apache-2.0
"""Translates errors of S3 servers, botocore and urllib3 into the gateway's own.

There is one table for each.  The texts name only the store and the server's error code:
the texts of the libraries hold hosts, buckets and keys.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from typing import Any

import urllib3.exceptions
from botocore import exceptions as boto

from s3gateway.errors import ObjectExists
from s3gateway.errors import ObjectNotFound
from s3gateway.errors import StoreDenied
from s3gateway.errors import StoreError
from s3gateway.errors import StoreFull
from s3gateway.errors import StoreUnavailable
from s3gateway.errors import WriteConflict

#: By error code, https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
#: and what MinIO and Ceph RGW add to it.
_BY_CODE: dict[str, type[StoreError]] = {
    "BadDigest": StoreUnavailable,  # the bytes were damaged on their way
    "BucketAlreadyExists": ObjectExists,
    "BucketAlreadyOwnedByYou": ObjectExists,
    "ConditionalRequestConflict": WriteConflict,
    "EntityTooLarge": StoreFull,
    "IncompleteBody": StoreUnavailable,
    "InsufficientCapacity": StoreFull,
    "InvalidAccessKeyId": StoreDenied,
    "InvalidObjectState": StoreError,  # 403: archived by a lifecycle rule
    "NoSuchBucket": ObjectNotFound,
    "NoSuchKey": ObjectNotFound,
    "NoSuchUpload": ObjectNotFound,
    "NotImplemented": StoreError,
    "OperationAborted": StoreUnavailable,
    "PreconditionFailed": ObjectExists,
    "QuotaExceeded": StoreFull,
    "RequestTimeout": StoreUnavailable,
    "RequestTimeTooSkewed": StoreDenied,
    "SlowDown": StoreUnavailable,
    "XAmzContentChecksumMismatch": StoreUnavailable,  # MinIO's BadDigest
    "XAmzContentSHA256Mismatch": StoreUnavailable,
    "XMinioStorageFull": StoreFull,
}

#: Other names for codes of S3.
_ALIASES = {
    "XAdminUserNotFound": "InvalidAccessKeyId",  # Versity's, with a 404
}

_BY_STATUS: dict[int, type[StoreError]] = {
    401: StoreDenied,
    403: StoreDenied,
    404: ObjectNotFound,
    408: StoreUnavailable,
    409: ObjectExists,
    412: ObjectExists,
    416: ObjectNotFound,
    429: StoreUnavailable,
    501: StoreError,
    507: StoreFull,
}

#: Codes that concern all objects of the store.
_STORE_WIDE = {
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
}

#: AWS names the region of a bucket in this header.
REGION_HEADER = "x-amz-bucket-region"
_REGION = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}")

#: Base classes of botocore's errors about a request.  All its other errors are mistakes
#: in a call.
_UNAVAILABLE = (
    boto.ConnectionError,
    boto.HTTPClientError,
    boto.IncompleteReadError,
    boto.ReadTimeoutError,
    boto.ResponseStreamingError,
)


def of_answer(store: str, status: int, code: str, region: str = "") -> StoreError:
    """Return the error for an answer with an error status.

    :param store: the store's identifier
    :param code: the S3 error code; after HEAD, what boto3 shows in its place
    :param region: the bucket's region in the answer
    """
    code = _ALIASES.get(code, code)
    by_status = StoreUnavailable if status >= 500 else StoreError
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status, by_status)
    error = kind(f"Store {store} answered {status} {code}".rstrip())
    error.code = code or str(status)
    error.store_wide = status == 401 or code in _STORE_WIDE
    if status in (301, 307, 400) and _REGION.fullmatch(region):
        error.region = region
    return error


def of_boto(store: str, error: boto.BotoCoreError | boto.ClientError) -> StoreError:
    """Return the error for one of botocore's."""
    if isinstance(error, boto.ClientError):
        about = error.response.get("ResponseMetadata", {})
        found = error.response.get("Error", {})
        return of_answer(
            store,
            about.get("HTTPStatusCode", 500),
            found.get("Code", ""),
            found.get("Region") or about.get("HTTPHeaders", {}).get(REGION_HEADER, ""),
        )
    retriable = isinstance(error, _UNAVAILABLE) and not isinstance(error, boto.SSLError)
    return _broken(store, "did not answer", error, retriable=retriable)


def of_urllib3(store: str, error: Exception) -> StoreError:
    """Return the error for one of urllib3's or a socket's."""
    retriable = not isinstance(error, urllib3.exceptions.SSLError)
    return _broken(store, "broke off", error, retriable=retriable)


def _broken(store: str, what: str, error: Exception, *, retriable: bool) -> StoreError:
    kind = StoreUnavailable if retriable else StoreError
    found = kind(f"Store {store} {what}: {type(error).__name__}")
    found.code = type(error).__name__
    found.store_wide = True
    return found


def details_in(body: bytes) -> tuple[str, str]:
    """Return the S3 error code and the region in the body of an error.

    Each is empty if the body does not have it.
    """
    try:
        error = ElementTree.fromstring(body)  # noqa: S314
    except ElementTree.ParseError:
        return "", ""
    # Some servers say which namespace it is in, and most do not.
    return error.findtext("{*}Code") or "", error.findtext("{*}Region") or ""


def not_s3(store: str) -> StoreError:
    """Return the error for an answer of success that is not one of S3."""
    return StoreError(f"Store {store} answered something that is not of S3")


def said(store: str, answer: Mapping[str, Any], name: str) -> Any:
    """Return what each answer of S3 has, or an entry of one.

    :raises StoreError: if this one has not
    """
    if name not in answer:
        raise not_s3(store)
    return answer[name]


def cut_short(store: str) -> StoreUnavailable:
    """Return the error for a body that ended too early."""
    return StoreUnavailable(f"Store {store} broke off: the answer ended early")

# SPDX-License-Identifier: Apache-2.0
"""What an S3 server, botocore or urllib3 say went wrong, in our own errors.

One table for each.  The texts name the store and the server's error code and
nothing else: what the lower libraries say holds hosts, buckets and keys.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import urllib3.exceptions
from botocore import exceptions as boto

from s3gateway.errors import ObjectExists
from s3gateway.errors import ObjectNotFound
from s3gateway.errors import StoreDenied
from s3gateway.errors import StoreError
from s3gateway.errors import StoreFull
from s3gateway.errors import StoreUnavailable

#: By error code, https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
#: and what MinIO and Ceph RGW add to it.
_BY_CODE: dict[str, type[StoreError]] = {
    "BadDigest": StoreUnavailable,  # the bytes were damaged on their way
    "BucketAlreadyExists": ObjectExists,
    "BucketAlreadyOwnedByYou": ObjectExists,
    "ConditionalRequestConflict": ObjectExists,
    "EntityTooLarge": StoreFull,
    "IncompleteBody": StoreUnavailable,
    "InsufficientCapacity": StoreFull,
    "NoSuchBucket": ObjectNotFound,
    "NoSuchKey": ObjectNotFound,
    "NoSuchUpload": ObjectNotFound,
    "OperationAborted": StoreUnavailable,
    "PreconditionFailed": ObjectExists,
    "QuotaExceeded": StoreFull,
    "RequestTimeout": StoreUnavailable,
    "RequestTimeTooSkewed": StoreDenied,
    "SlowDown": StoreUnavailable,
    "XAmzContentSHA256Mismatch": StoreUnavailable,
    "XMinioStorageFull": StoreFull,
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
    507: StoreFull,
}

#: The base classes of what botocore raises for a request; all but these are
#: mistakes in how it was called.
_UNAVAILABLE = (
    boto.ConnectionError,
    boto.HTTPClientError,
    boto.IncompleteReadError,
    boto.ReadTimeoutError,
    boto.ResponseStreamingError,
)


def of_answer(store: str, status: int, code: str) -> StoreError:
    """Return the error for an answer with an error status.

    :param store: the store's identifier
    :param code: the S3 error code, or what stands for it in an answer to HEAD
    """
    by_status = StoreUnavailable if status >= 500 else StoreError
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status, by_status)
    return kind(f"Store {store} answered {status} {code}".rstrip())


def of_boto(store: str, error: boto.BotoCoreError | boto.ClientError) -> StoreError:
    """Return the error for one that botocore raised."""
    if isinstance(error, boto.ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
        return of_answer(store, status, error.response.get("Error", {}).get("Code", ""))
    retriable = isinstance(error, _UNAVAILABLE) and not isinstance(error, boto.SSLError)
    kind = StoreUnavailable if retriable else StoreError
    return kind(f"Store {store} did not answer: {type(error).__name__}")


def of_urllib3(store: str, error: Exception) -> StoreError:
    """Return the error for one that urllib3 or a socket raised."""
    final = isinstance(error, urllib3.exceptions.SSLError)
    kind = StoreError if final else StoreUnavailable
    return kind(f"Store {store} broke off: {type(error).__name__}")


def code_in(body: bytes) -> str:
    """Return the S3 error code in an error answer's body, or an empty string."""
    try:
        code = ElementTree.fromstring(body).findtext("Code")  # noqa: S314
    except ElementTree.ParseError:
        return ""
    return code or ""


def cut_short(store: str) -> StoreUnavailable:
    """Return the error for a body that ended before it should."""
    return StoreUnavailable(f"Store {store} broke off: the answer ended early")

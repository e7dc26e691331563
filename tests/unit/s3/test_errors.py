# SPDX-License-Identifier: Apache-2.0
"""Every error of the libraries becomes an error of the gateway's own."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import urllib3.exceptions
from botocore import exceptions as boto

from s3gateway.errors import ObjectExists
from s3gateway.errors import ObjectNotFound
from s3gateway.errors import StoreDenied
from s3gateway.errors import StoreError
from s3gateway.errors import StoreFull
from s3gateway.errors import StoreUnavailable
from s3gateway.errors import WriteConflict
from s3gateway.s3 import errors

HOST = "s3.secret-host.example"


def raised() -> list[Any]:
    found = [kind for _, kind in inspect.getmembers(boto, inspect.isclass)]
    return [kind for kind in found if issubclass(kind, boto.BotoCoreError)]


@pytest.mark.parametrize("kind", raised(), ids=lambda kind: kind.__name__)
def test_every_error_of_botocore_is_known(kind: Any) -> None:
    error: boto.BotoCoreError = kind.__new__(kind)
    Exception.__init__(error, HOST)
    found = errors.of_boto("fast", error)
    assert isinstance(found, StoreError)
    assert HOST not in str(found)
    assert kind.__name__ in str(found)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (boto.EndpointConnectionError, StoreUnavailable),
        (boto.ConnectTimeoutError, StoreUnavailable),
        (boto.ReadTimeoutError, StoreUnavailable),
        (boto.ConnectionClosedError, StoreUnavailable),
        (boto.ProxyConnectionError, StoreUnavailable),
        (boto.SSLError, StoreError),
        (boto.ParamValidationError, StoreError),
        (boto.NoCredentialsError, StoreError),
    ],
)
def test_which_are_worth_another_try(kind: Any, expected: type[StoreError]) -> None:
    error: boto.BotoCoreError = kind.__new__(kind)
    assert type(errors.of_boto("fast", error)) is expected


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (404, "NoSuchKey", ObjectNotFound),
        (404, "404", ObjectNotFound),
        (404, "NoSuchUpload", ObjectNotFound),
        (404, "XAdminUserNotFound", StoreDenied),  # Versity's wrong access key
        (403, "AccessDenied", StoreDenied),
        (403, "403", StoreDenied),
        (403, "SignatureDoesNotMatch", StoreDenied),
        (403, "RequestTimeTooSkewed", StoreDenied),
        (403, "InvalidObjectState", StoreError),
        (403, "QuotaExceeded", StoreFull),
        (409, "ConditionalRequestConflict", WriteConflict),
        (412, "PreconditionFailed", ObjectExists),
        (416, "InvalidRange", ObjectNotFound),
        (500, "InternalError", StoreUnavailable),
        (503, "SlowDown", StoreUnavailable),
        (503, "", StoreUnavailable),
        (507, "XMinioStorageFull", StoreFull),
        (400, "RequestTimeout", StoreUnavailable),
        (400, "BadDigest", StoreUnavailable),
        (400, "InvalidRequest", StoreError),
        (301, "PermanentRedirect", StoreError),
        (501, "NotImplemented", StoreError),
    ],
)
def test_answers(status: int, code: str, expected: type[StoreError]) -> None:
    error = boto.ClientError(
        {
            "Error": {"Code": code, "Message": HOST},
            "ResponseMetadata": {"HTTPStatusCode": status},
        },
        "HeadObject",
    )
    found = errors.of_boto("fast", error)
    assert type(found) is expected
    assert HOST not in str(found)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (403, "InvalidAccessKeyId", True),
        (404, "XAdminUserNotFound", True),
        (403, "SignatureDoesNotMatch", True),
        (403, "RequestTimeTooSkewed", True),
        (401, "", True),
        (403, "AccessDenied", False),
        (403, "InvalidObjectState", False),
        (400, "KMS.DisabledException", False),
        (404, "NoSuchKey", False),
        (500, "InternalError", False),
        (503, "SlowDown", False),
    ],
)
def test_what_is_said_of_the_whole_store(
    status: int, code: str, *, expected: bool
) -> None:
    assert errors.of_answer("fast", status, code).store_wide is expected


def test_a_connection_is_the_whole_stores() -> None:
    assert errors.of_urllib3("fast", ConnectionResetError()).store_wide
    refused = boto.EndpointConnectionError(endpoint_url=HOST)
    assert errors.of_boto("fast", refused).store_wide


@pytest.mark.parametrize(
    "error",
    [
        urllib3.exceptions.ProtocolError(HOST),
        urllib3.exceptions.ReadTimeoutError(None, HOST, HOST),  # type: ignore[arg-type]
        ConnectionResetError(HOST),
        TimeoutError(HOST),
    ],
)
def test_broken_connections(error: Exception) -> None:
    found = errors.of_urllib3("fast", error)
    assert type(found) is StoreUnavailable
    assert HOST not in str(found)


def test_a_certificate_does_not_get_better_with_time() -> None:
    error = urllib3.exceptions.SSLError(HOST)
    assert type(errors.of_urllib3("fast", error)) is StoreError


def test_details_in_a_body() -> None:
    assert errors.details_in(b"<Error><Code>SlowDown</Code></Error>") == (
        "SlowDown",
        "",
    )
    spaced = b'<Error xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Code>SlowDown'
    assert errors.details_in(spaced + b"</Code></Error>") == ("SlowDown", "")
    assert errors.details_in(b"") == ("", "")
    assert errors.details_in(b"<html>gateway timeout</html>") == ("", "")

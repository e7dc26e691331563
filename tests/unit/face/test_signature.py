# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import datetime
from collections.abc import Callable

import pytest

from s3gateway.config.keys import KeyPair
from s3gateway.face.errors import S3Error
from s3gateway.face.signature import SKEW
from s3gateway.face.signature import verify
from s3gateway.http.wsgi import Environ
from tests.unit.face.signing import PAIR
from tests.unit.face.signing import now
from tests.unit.face.signing import request

KEY = "/glance/6f2c5a1e-0000-4000-8000-000000000000"


def known(access_key: str) -> KeyPair | None:
    return PAIR if access_key == PAIR.access_key else None


def code(environ: Environ, when: datetime.datetime | None = None) -> str:
    """Return the code of the refusal, empty if there is none."""
    try:
        verify(environ, known, when or now())
    except S3Error as error:
        return error.code
    return ""


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("HEAD", "/glance"),
        ("GET", KEY),
        ("PUT", f"{KEY}?partNumber=3&uploadId=ab~c.d-e%2Ff%3D%3D"),
        ("POST", f"{KEY}?uploads"),
    ],
)
def test_what_botocore_signs_is_accepted(method: str, target: str) -> None:
    signed = verify(request(method, target, b"data"), known, now())
    assert signed.region == "us-east-1"
    assert len(signed.payload) == 64


def test_a_face_under_a_path() -> None:
    environ = request("GET", f"/face{KEY}")
    environ.update(SCRIPT_NAME="/face", PATH_INFO=KEY)
    assert code(environ) == ""


def test_another_secret_is_refused() -> None:
    other = KeyPair(PAIR.access_key, "another secret of the face")
    assert code(request("GET", KEY, pair=other)) == "SignatureDoesNotMatch"


def test_an_unknown_key_is_refused() -> None:
    other = KeyPair("OTHER", PAIR.secret_key)
    assert code(request("GET", KEY, pair=other)) == "InvalidAccessKeyId"


@pytest.mark.parametrize("minutes", [-16, 16])
def test_a_date_outside_of_the_window_is_refused(minutes: int) -> None:
    when = now() + datetime.timedelta(minutes=minutes)
    assert code(request("GET", KEY), when) == "RequestTimeTooSkewed"
    assert datetime.timedelta(minutes=15) == SKEW


@pytest.mark.parametrize("minutes", [-14, 14])
def test_a_date_within_the_window_is_accepted(minutes: int) -> None:
    when = now() + datetime.timedelta(minutes=minutes)
    assert code(request("GET", KEY), when) == ""


Change = Callable[[Environ], object]

_CHANGES: dict[str, tuple[Change, str]] = {
    "method": (lambda e: e.update(REQUEST_METHOD="DELETE"), "SignatureDoesNotMatch"),
    "path": (lambda e: e.update(PATH_INFO="/glance/other"), "SignatureDoesNotMatch"),
    "query": (lambda e: e.update(QUERY_STRING="uploads"), "SignatureDoesNotMatch"),
    "host": (lambda e: e.update(HTTP_HOST="other"), "SignatureDoesNotMatch"),
    "range": (lambda e: e.update(HTTP_RANGE="bytes=1-2"), "AccessDenied"),
    "md5": (lambda e: e.update(HTTP_CONTENT_MD5="x"), "AccessDenied"),
    "encoding": (lambda e: e.update(HTTP_CONTENT_ENCODING="x"), "AccessDenied"),
    "amz": (lambda e: e.update(HTTP_X_AMZ_COPY_SOURCE="x"), "AccessDenied"),
    "payload": (
        lambda e: e.update(HTTP_X_AMZ_CONTENT_SHA256="UNSIGNED-PAYLOAD"),
        "SignatureDoesNotMatch",
    ),
    "no payload": (lambda e: e.pop("HTTP_X_AMZ_CONTENT_SHA256"), "InvalidRequest"),
    "no date": (lambda e: e.pop("HTTP_X_AMZ_DATE"), "AccessDenied"),
    "no signature": (lambda e: e.pop("HTTP_AUTHORIZATION"), "AccessDenied"),
    "no host": (lambda e: e.pop("HTTP_HOST"), "SignatureDoesNotMatch"),
    "version 2": (
        lambda e: e.update(HTTP_AUTHORIZATION="AWS FACEKEY:abc="),
        "AuthorizationHeaderMalformed",
    ),
    "characters": (lambda e: e.update(PATH_INFO="/glance/\x00"), "InvalidURI"),
    "fragment": (lambda e: e.update(QUERY_STRING="a#b"), "InvalidURI"),
}


@pytest.mark.parametrize("what", _CHANGES)
def test_any_change_is_refused(what: str) -> None:
    change, expected = _CHANGES[what]
    environ = request("GET", KEY)
    change(environ)
    assert code(environ) == expected


def test_the_host_must_be_signed() -> None:
    environ = request("GET", KEY)
    authorization = environ["HTTP_AUTHORIZATION"]
    environ["HTTP_AUTHORIZATION"] = authorization.replace("=host;", "=")
    assert code(environ) == "AccessDenied"


def test_so_many_names_are_not_worth_the_effort() -> None:
    environ = request("GET", KEY)
    names = ";".join(f"x{number}" for number in range(100))
    changed = environ["HTTP_AUTHORIZATION"].replace("=host;", f"=host;{names};")
    environ["HTTP_AUTHORIZATION"] = changed
    assert code(environ) == "AuthorizationHeaderMalformed"


def test_the_scopes_day_must_be_the_dates() -> None:
    environ = request("GET", KEY)
    day = environ["HTTP_X_AMZ_DATE"][:8]
    changed = environ["HTTP_AUTHORIZATION"].replace(f"/{day}/", "/20200101/")
    environ["HTTP_AUTHORIZATION"] = changed
    assert code(environ) == "AuthorizationHeaderMalformed"


def test_another_service_is_refused() -> None:
    environ = request("GET", KEY)
    changed = environ["HTTP_AUTHORIZATION"].replace("/s3/", "/iam/")
    environ["HTTP_AUTHORIZATION"] = changed
    assert code(environ) == "AuthorizationHeaderMalformed"

# SPDX-License-Identifier: Apache-2.0
"""Bodies in chunks of S3's own: what is taken, and what is refused."""

from __future__ import annotations

import io

import pytest

from s3gateway.http.wsgi import Environ
from tests.unit.face import signing
from tests.unit.face.conftest import IMAGE
from tests.unit.face.conftest import KEY
from tests.unit.face.conftest import Ground
from tests.unit.face.conftest import Reply
from tests.unit.face.framing import CRC
from tests.unit.face.framing import DATA
from tests.unit.face.framing import KINDS
from tests.unit.face.framing import SIGNED
from tests.unit.face.framing import UNSIGNED_TRAILER
from tests.unit.face.framing import begin
from tests.unit.face.framing import framed


def send(ground: Ground, environ: Environ, body: bytes) -> Reply:
    environ["CONTENT_LENGTH"] = str(len(body))
    environ["wsgi.input"] = io.BytesIO(body)
    return ground.send(environ)


@pytest.mark.parametrize(("payload", "trailer"), KINDS)
def test_chunks_become_the_object(ground: Ground, payload: str, trailer: str) -> None:
    environ = begin(payload)
    body = framed(environ, signed="HMAC" in payload, trailer=trailer)
    assert send(ground, environ, body).status == 200
    assert ground.store.objects_by_key == {IMAGE: DATA}


@pytest.mark.parametrize(("payload", "trailer"), KINDS)
def test_every_changed_byte_of_a_body_is_refused(
    ground: Ground, payload: str, trailer: str
) -> None:
    """In the framing, the signatures, the data and the trailers."""
    environ = begin(payload)
    body = framed(environ, signed="HMAC" in payload, trailer=trailer)
    tail = range(len(body) - 250, len(body))
    for position in [*range(100), 70_000, 140_000, *tail]:
        changed = bytearray(body)
        changed[position] ^= 0x15
        reply = send(ground, begin_again(environ), bytes(changed))
        assert reply.status in (400, 403, 501), (position, reply.body)
        assert ground.store.objects_by_key == {}
        assert ground.store.open_uploads == {}


def begin_again(environ: Environ) -> Environ:
    return dict(environ)


@pytest.mark.parametrize(("payload", "trailer"), KINDS)
def test_a_body_that_is_cut_or_longer_is_refused(
    ground: Ground, payload: str, trailer: str
) -> None:
    environ = begin(payload)
    body = framed(environ, signed="HMAC" in payload, trailer=trailer)
    for cut in (0, 1, 50, 70_000, len(body) - 3, len(body) - 1):
        assert send(ground, dict(environ), body[:cut]).status == 400, cut
    for more in (b"x", b"0\r\n\r\n", body):
        assert send(ground, dict(environ), body + more).status == 400, more[:9]
    assert ground.store.objects_by_key == {}


def test_a_length_that_is_not_the_bodys_is_refused(ground: Ground) -> None:
    for length in ("0", "100", str(len(DATA) - 1), str(len(DATA) + 1)):
        environ = begin(SIGNED, x_amz_decoded_content_length=length)
        reply = send(ground, environ, framed(environ, signed=True))
        assert (reply.status, reply.code) == (400, "IncompleteBody")
    environ = begin(SIGNED, x_amz_decoded_content_length="x")
    assert send(ground, environ, b"").code == "MissingContentLength"
    assert ground.store.objects_by_key == {}


@pytest.mark.parametrize(
    ("payload", "fields", "status"),
    [
        (SIGNED, {"Content_Encoding": ""}, 400),
        (SIGNED, {"Content_Encoding": "gzip"}, 501),
        (SIGNED, {"Content_Encoding": "aws-chunked,gzip"}, 501),
        (SIGNED, {"Content_Encoding": "xaws-chunked"}, 501),
        (SIGNED, {"x_amz_trailer": "x-amz-checksum-crc32"}, 400),
        (f"{SIGNED}-TRAILER", {"x_amz_trailer": "x-amz-checksum-crc32c"}, 501),
        (f"{SIGNED}-TRAILER", {"x_amz_trailer": "x-amz-meta-x"}, 501),
        ("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", {}, 501),
        ("anything", {}, 501),
    ],
)
def test_what_is_announced_must_be_understood(
    ground: Ground, payload: str, fields: dict[str, str], status: int
) -> None:
    environ = begin(payload, **fields)
    assert send(ground, environ, framed(environ, signed=True)).status == status
    assert ground.store.objects_by_key == {}


def test_an_object_keeps_no_coding(ground: Ground) -> None:
    reply = ground.ask("PUT", KEY, DATA, Content_Encoding="gzip")
    assert (reply.status, reply.code) == (501, "NotImplemented")
    assert ground.store.objects_by_key == {}


@pytest.mark.parametrize(
    "lines",
    [
        [f"x-amz-checksum-crc32:{CRC}", "x-amz-acl:public-read"],
        ["x-amz-checksum-crc32:AAAAAA==", f"x-amz-checksum-crc32:{CRC}"],
        [f"x-amz-checksum-sha1:{CRC}"],
    ],
)
def test_a_trailer_is_the_announced_one(ground: Ground, lines: list[str]) -> None:
    environ = begin(UNSIGNED_TRAILER)
    body = framed(environ, signed=False).removesuffix(b"\r\n")
    for line in lines:
        body += line.encode() + b"\r\n"
    reply = send(ground, environ, body + b"\r\n")
    assert (reply.status, reply.code) == (400, "InvalidRequest")
    assert ground.store.objects_by_key == {}


def test_an_unsigned_trailer_needs_tls(ground: Ground) -> None:
    environ = begin(UNSIGNED_TRAILER)
    environ["wsgi.url_scheme"] = "http"
    body = framed(environ, signed=False, trailer=CRC)
    assert send(ground, environ, body).code == "AccessDenied"


def test_a_server_that_ends_bodies_itself(ground: Ground) -> None:
    """As gunicorn does; then no Content-Length need not mean that there is no body."""
    environ = signing.request("HEAD", KEY)
    environ.update({"CONTENT_LENGTH": "", "wsgi.input_terminated": True})
    assert ground.send(environ).status == 404
    environ = signing.request("PUT", KEY, DATA)
    environ.update({"CONTENT_LENGTH": "", "wsgi.input_terminated": True})
    assert ground.send(environ).code == "IncompleteBody"
    assert ground.store.objects_by_key == {}


def test_a_plain_body_of_unknown_length_is_refused(ground: Ground) -> None:
    environ = signing.request("PUT", KEY, DATA)
    environ.update(CONTENT_LENGTH="", HTTP_TRANSFER_ENCODING="chunked")
    assert ground.send(environ).code == "MissingContentLength"

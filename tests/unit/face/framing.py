# SPDX-License-Identifier: Apache-2.0
"""Bodies in chunks of S3's own, as its SDKs send them."""

from __future__ import annotations

import hashlib
import hmac
import zlib
from base64 import b64encode
from typing import Any

from s3gateway.http.wsgi import Environ
from tests.unit.face import signing
from tests.unit.face.conftest import KEY

DATA = bytes(range(256)) * 1200
SIZES = [65536, 65536, 100_000, 1]
CRC = b64encode(zlib.crc32(DATA).to_bytes(4, "big")).decode()
EMPTY = hashlib.sha256().hexdigest()
SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


def pieces(data: bytes, sizes: list[int]) -> list[bytes]:
    found = []
    for size in sizes:
        found.append(data[:size])
        data = data[size:]
    return [*found, data] if data else found


def begin(payload: str, **more: str) -> Environ:
    """Return a request of which only the body is missing."""
    fields: dict[str, Any] = {
        "Content_Encoding": "aws-chunked",
        "x_amz_decoded_content_length": str(len(DATA)),
        **({"x_amz_trailer": "x-amz-checksum-crc32"} if "TRAILER" in payload else {}),
        **more,
    }
    return signing.request("PUT", KEY, payload=payload, scheme="https", **fields)


class Signer:
    """Signs chunks, as the documentation of S3 says."""

    def __init__(self, environ: Environ) -> None:
        self.timestamp = environ["HTTP_X_AMZ_DATE"]
        self.scope = f"{self.timestamp[:8]}/us-east-1/s3/aws4_request"
        self.last: str = environ["HTTP_AUTHORIZATION"].rpartition("=")[2]
        key = b"AWS4" + signing.PAIR.secret_key.encode()
        for word in self.scope.split("/"):
            key = hmac.digest(key, word.encode(), "sha256")
        self.key = key

    def chunk(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        return self._next("AWS4-HMAC-SHA256-PAYLOAD", EMPTY, digest)

    def trailer(self, lines: bytes) -> str:
        digest = hashlib.sha256(lines).hexdigest()
        return self._next("AWS4-HMAC-SHA256-TRAILER", digest)

    def _next(self, kind: str, *lines: str) -> str:
        text = "\n".join([kind, self.timestamp, self.scope, self.last, *lines])
        self.last = hmac.new(self.key, text.encode(), "sha256").hexdigest()
        return self.last


def framed(environ: Environ, *, signed: bool, trailer: str = "") -> bytes:
    signer = Signer(environ)
    body = b""
    for data in [*pieces(DATA, SIZES), b""]:
        mark = f";chunk-signature={signer.chunk(data)}" if signed else ""
        body += f"{len(data):x}{mark}\r\n".encode() + data + (b"\r\n" if data else b"")
    if trailer:
        line = f"x-amz-checksum-crc32:{trailer}"
        body += line.encode() + b"\r\n"
        if signed:
            mark = signer.trailer(line.encode() + b"\n")
            body += f"x-amz-trailer-signature:{mark}\r\n".encode()
    return body + b"\r\n"


KINDS = [(SIGNED, ""), (f"{SIGNED}-TRAILER", CRC), (UNSIGNED_TRAILER, CRC)]

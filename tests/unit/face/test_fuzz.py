# SPDX-License-Identifier: Apache-2.0
"""Requests that are nearly right: the face answers 2xx, 4xx or 501, and writes nothing
that was not signed."""

from __future__ import annotations

import io
import random
import string
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from s3gateway.http.wsgi import Environ
from tests.unit.face import signing
from tests.unit.face.conftest import IMAGE
from tests.unit.face.conftest import KEY
from tests.unit.face.conftest import Ground
from tests.unit.face.framing import CRC
from tests.unit.face.framing import DATA
from tests.unit.face.framing import KINDS
from tests.unit.face.framing import begin
from tests.unit.face.framing import framed

SMALL = b"a part of an image" * 50
COUNT = 3000

_METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "TRACE", "get"]
_PATHS = [
    "/",
    "//",
    "/fast",
    "/fast/",
    "/fast//",
    KEY,
    f"{KEY}.0123456789abcdef",
    f"{KEY}/",
    f"/fast/.s3gateway/{IMAGE}",
    "/fast/../fast",
    "/fast/%2e%2e",
    "/fast/\u00e9",
    "/fast/a\x00b",
    "/other",
    f"/other/{IMAGE}",
    "*",
    "",
    "http://s3/fast",
]
_QUERIES = [
    "",
    "uploads",
    "uploads=",
    "uploads=1",
    "partNumber=1&uploadId=x",
    f"partNumber=1&uploadId=upload-of-{IMAGE}",
    f"uploadId=upload-of-{IMAGE}",
    "partNumber=1",
    "uploadId=",
    "versionId=null",
    "acl",
    "list-type=2&prefix=.s3gateway/",
    "partNumber=99999999999999999999&uploadId=x",
    "partNumber=1&partNumber=2&uploadId=x",
    "%",
    "%zz=%ff",
    "a=\u00e9",
    "&&&=",
    "x-id=GetObject",
]
_FIELDS = [
    "HTTP_AUTHORIZATION",
    "HTTP_HOST",
    "HTTP_X_AMZ_DATE",
    "HTTP_X_AMZ_CONTENT_SHA256",
    "HTTP_X_AMZ_DECODED_CONTENT_LENGTH",
    "HTTP_X_AMZ_TRAILER",
    "HTTP_X_AMZ_COPY_SOURCE",
    "HTTP_X_AMZ_CHECKSUM_CRC32",
    "HTTP_X_AMZ_",
    "HTTP_CONTENT_ENCODING",
    "HTTP_CONTENT_MD5",
    "HTTP_RANGE",
    "HTTP_IF_MATCH",
    "HTTP_EXPECT",
    "HTTP_TRANSFER_ENCODING",
    "CONTENT_LENGTH",
    "CONTENT_TYPE",
    "SCRIPT_NAME",
]
_VALUES = [
    "",
    "0",
    "-1",
    "x",
    "1" * 400,
    "bytes=0-0",
    "bytes=5-1",
    "bytes=0-1,3-4",
    "bytes=" + "9" * 5000 + "-",
    "UNSIGNED-PAYLOAD",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    "0" * 64,
    "aws-chunked",
    "chunked",
    "\u00e9\x7f",
    "AWS4-HMAC-SHA256 Credential=FACEKEY/20260101/us-east-1/s3/aws4_request,"
    "SignedHeaders=host,Signature=" + "0" * 64,
]

Change = Callable[[Environ, random.Random], None]


def _method(environ: Environ, chance: random.Random) -> None:
    environ["REQUEST_METHOD"] = chance.choice(_METHODS)


def _path(environ: Environ, chance: random.Random) -> None:
    environ["PATH_INFO"] = chance.choice(_PATHS)


def _query(environ: Environ, chance: random.Random) -> None:
    environ["QUERY_STRING"] = chance.choice(_QUERIES)


def _field(environ: Environ, chance: random.Random) -> None:
    environ[chance.choice(_FIELDS)] = chance.choice(_VALUES)


def _drop(environ: Environ, chance: random.Random) -> None:
    environ.pop(chance.choice(_FIELDS), None)


def _letter(environ: Environ, chance: random.Random) -> None:
    """Change a character of some field."""
    name = chance.choice([n for n in environ if n.startswith("HTTP_") and environ[n]])
    at = chance.randrange(len(environ[name]))
    new = chance.choice(string.printable[:95])
    environ[name] = environ[name][:at] + new + environ[name][at + 1 :]


def _body(environ: Environ, chance: random.Random) -> None:
    """Change, cut, double or add bytes of the body."""
    body = bytearray(environ["wsgi.input"].getvalue())
    at = chance.randrange(len(body) + 1)
    kind = chance.randrange(4)
    if kind == 0 and at < len(body):
        body[at] = chance.randrange(256)
    elif kind == 1:
        del body[at:]
    elif kind == 2:
        body[at:at] = body[: chance.randrange(200)]
    else:
        body[at:at] = b"\r\n"
    environ["wsgi.input"] = io.BytesIO(bytes(body))
    if chance.random() < 0.5:
        environ["CONTENT_LENGTH"] = str(len(body))


_CHANGES = [_method, _path, _query, _field, _drop, _letter, _body]


def _whole(ground: Ground, chance: random.Random) -> Environ:
    """Return a request that is right."""
    kind = chance.randrange(4)
    if kind == 0:
        payload, trailer = chance.choice(KINDS)
        environ = begin(payload)
        body = framed(environ, signed="HMAC" in payload, trailer=trailer and CRC)
        environ.update({"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": len(body)})
        environ["CONTENT_LENGTH"] = str(len(body))
        return environ
    if kind == 1:
        target = f"{KEY}?partNumber=1&uploadId=upload-of-{IMAGE}"
        return signing.request("PUT", target, SMALL)
    if kind == 2:
        return signing.request(
            "PUT", KEY, SMALL, scheme=chance.choice(["http", "https"])
        )
    return signing.request(chance.choice(["GET", "HEAD", "DELETE", "POST"]), KEY)


def _odd(ground: Ground, chance: random.Random) -> Environ:
    """Return a request with a right signature that asks for something odd."""
    method = chance.choice(_METHODS[:-1])
    path = chance.choice([p for p in _PATHS if p.isascii() and "\x00" not in p])
    query = chance.choice([q for q in _QUERIES if q.isascii()])
    path = path if path.startswith("/") else f"/{path}"
    body = chance.choice([b"", SMALL, b"<x/>"])
    fields: dict[str, Any] = {
        name.removeprefix("HTTP_"): chance.choice(_VALUES[:12]).strip() or "x"
        for name in chance.sample(_FIELDS[4:13], chance.randrange(3))
    }
    return signing.request(method, f"{path}?{query}", body, **fields)


@pytest.mark.parametrize("seed", [1, 2])
def test_fuzz(ground: Ground, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    answers: Counter[int] = Counter()
    for number in range(COUNT):
        ground.store.objects_by_key.clear()
        ground.store.open_uploads.clear()
        ground.store.begin(IMAGE)
        if chance.random() < 0.3:
            environ = _odd(ground, chance)
        else:
            environ = _whole(ground, chance)
            for change in chance.choices(_CHANGES, k=chance.randrange(1, 3)):
                change(environ, chance)
        status = ground.send(environ).status
        answers[status] += 1
        assert status in (200, 204, 206, 501) or 400 <= status < 500, (number, environ)
        for key, data in ground.store.objects_by_key.items():
            assert (key, data) in _signed(), (number, environ)
        parts = ground.store.open_uploads.get(f"upload-of-{IMAGE}")
        written = list(parts.parts.values()) if parts else []
        assert all(data in (SMALL, b"", b"<x/>") for data in written), (number, environ)
    assert answers[200] > COUNT // 100  # some changes are of what nobody looks at
    assert answers[403] > COUNT // 10
    print(f"{COUNT} requests: {dict(answers)}")


def _signed() -> set[tuple[str, bytes]]:
    """Return the objects that signed requests may have written."""
    ours = f"{IMAGE}.0123456789abcdef"
    bodies = (DATA, SMALL, b"", b"<x/>")
    return {(key, data) for key in (IMAGE, ours) for data in bodies}

# SPDX-License-Identifier: Apache-2.0
"""A signed request, sent again with another method, path, query or field."""

from __future__ import annotations

import itertools
from urllib import parse

import pytest

from tests.support.s3.memory import MemoryStore
from tests.unit.face import signing
from tests.unit.face.conftest import IMAGE
from tests.unit.face.conftest import KEY
from tests.unit.face.conftest import Ground

OTHER = "6f2c5a1e-0000-4000-8000-0000000000ff"
DATA = b"some data of an image"

#: What is signed.
REQUESTS = [
    ("GET", KEY, b""),
    ("PUT", KEY, DATA),
    ("DELETE", KEY, b""),
    ("POST", f"{KEY}?uploads", b""),
    ("PUT", f"{KEY}?partNumber=1&uploadId=abc", DATA),
    ("DELETE", f"{KEY}?uploadId=abc", b""),
    ("PUT", "/fast", b""),
]
METHODS = ["GET", "PUT", "DELETE", "POST", "HEAD", "get"]
PATHS = [
    KEY,
    f"{KEY}/",
    f"/{KEY}",
    f"/fast//{IMAGE}",
    f"/fast/./{IMAGE}",
    f"/cheap/../fast/{IMAGE}",
    f"/fast%252F{IMAGE}",
    f"/fast/%25{ord(IMAGE[0]):x}{IMAGE[1:]}",
    KEY.upper(),
    f"{KEY}%20",
    f"{KEY}+",
    f"{KEY}%0A",
    f"{KEY}%00",
    f"{KEY}.0123456789abcdef",
    KEY.replace("a", "%C3%A4"),
    f"/fast/{OTHER}",
    f"/{IMAGE}",
    "/fast",
    "/",
]
QUERIES = [
    "",
    "uploads",
    "uploads=x",
    "uploadId=abc",
    "uploadId=abd",
    "uploadId=ab%63",
    "uploadId=+abc",
    "partNumber=1&uploadId=abc",
    "uploadId=abc&partNumber=1",
    "partNumber=2&uploadId=abc",
    "partNumber=01&uploadId=abc",
    "partNumber=1&partNumber=2&uploadId=abc",
    "partNumber=1&uploadId=abc&uploadId=abd",
    "partNumber=1&uploadId=abc&x-id=UploadPart",
    "partNumber=1;uploadId=abc",
    "&uploads",
    "uploads&",
    "acl",
    "x-id=DeleteObject",
]


def meaning(target: str) -> tuple[str, list[tuple[str, str]]]:
    """Return the path, and the parameters in any order."""
    path, _, query = target.partition("?")
    found = sorted(parse.parse_qsl(query, keep_blank_values=True))
    return path, found


def kept(store: MemoryStore) -> tuple[dict[str, bytes], int]:
    return dict(store.objects_by_key), len(store.open_uploads)


@pytest.mark.parametrize(("method", "target", "body"), REQUESTS)
def test_it_is_no_other_request(
    ground: Ground, method: str, target: str, body: bytes
) -> None:
    for key in (IMAGE, OTHER):
        ground.store.write(key, b"before")
    before = kept(ground.store)
    for verb, path, query in itertools.product(METHODS, PATHS, QUERIES):
        again = f"{path}?{query}" if query else path
        if (verb, meaning(again)) == (method, meaning(target)):
            continue
        environ = signing.request(method, target, body)
        environ["REQUEST_METHOD"] = verb
        environ["PATH_INFO"] = parse.unquote(path, "latin-1")
        environ["QUERY_STRING"] = query
        ground.store.requests.clear()
        assert ground.send(environ).status >= 400, (verb, again)
        assert ground.store.requests == [], (verb, again)
    assert kept(ground.store) == before


@pytest.mark.parametrize(
    "changes",
    [
        {"HTTP_HOST": "gateway.example"},
        {"HTTP_HOST": "fast.gateway.example:9293"},
        {"HTTP_HOST": "GATEWAY.example:9293"},
        {"HTTP_HOST": "gateway.example:9293,other"},
        {"HTTP_X_AMZ_CONTENT_SHA256": "UNSIGNED-PAYLOAD"},
        {"HTTP_X_AMZ_CONTENT_SHA256": "0" * 64},
        {"HTTP_X_AMZ_COPY_SOURCE": f"/fast/{OTHER}"},
        {"HTTP_X_AMZ_DECODED_CONTENT_LENGTH": "4"},
        {"HTTP_CONTENT_ENCODING": "aws-chunked"},
        {"HTTP_IF_NONE_MATCH": "*"},
        {"HTTP_RANGE": "bytes=0-0"},
        {"SCRIPT_NAME": "/fast"},
        {"SCRIPT_NAME": "/fast", "PATH_INFO": f"/{IMAGE}"},
    ],
    ids=str,
)
def test_it_has_no_other_fields(ground: Ground, changes: dict[str, str]) -> None:
    """A duplicate is joined to the field by servers, or refused."""
    assert ground.ask("PUT", KEY, DATA).status == 200
    ground.store.requests.clear()
    environ = signing.request("PUT", KEY, DATA)
    environ.update(changes)
    assert ground.send(environ).status >= 400
    assert ground.store.requests == []

# SPDX-License-Identifier: Apache-2.0
"""When the payload of an upload goes unsigned: where a wrong CRC32 was refused."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import urllib3

from s3gateway.errors import StoreDenied
from s3gateway.errors import StoreError
from s3gateway.errors import StoreUnavailable
from s3gateway.s3 import errors as s3errors
from s3gateway.s3 import http
from s3gateway.s3 import metadata
from s3gateway.s3 import unsigned
from s3gateway.s3.bucket import Bucket
from s3gateway.s3.http import UNSIGNED
from s3gateway.s3.seals import USUAL
from s3gateway.s3.seals import Seal
from s3gateway.s3.store import S3Store
from s3gateway.s3.trials import PREFIX
from s3gateway.s3.unsigned import UnsignedPayloads
from s3gateway.store import Buffers
from tests.support.s3.memory import store_settings
from tests.support.s3.stores import TRANSFER

DATA = (memoryview(b"data"),)
BAD_DIGEST = s3errors.of_answer("fast", 400, "BadDigest")
#: What a refusal may be for another reason than the checksum.
STRAY = [
    s3errors.of_answer("fast", 400, "InvalidRequest"),
    s3errors.of_answer("fast", 403, "AccessDenied"),
    s3errors.of_answer("fast", 503, "SlowDown"),
    s3errors.of_answer("fast", 501, "NotImplemented"),
]


class Server(Bucket):
    """A bucket of a server that compares checksums, or not.

    :ivar compares: the operations, ``put`` and ``part``, in which it does
    :ivar refusal: what it answers to a wrong one
    :ivar fails: what it answers to an operation at all
    :ivar sent: the operation, the key and the seal of each body
    """

    def __init__(self, *compares: str, **settings: Any) -> None:
        options = {"unsigned_payload": True, "endpoint": "http://s3.test", **settings}
        super().__init__(store_settings(**options), TRANSFER)
        self.compares = compares
        self.refusal: StoreError = BAD_DIGEST
        self.fails: dict[str, StoreError] = {}
        self.sent: list[tuple[str, str, Seal]] = []
        self.left: set[str] = set()
        self.began: list[bool] = []

    def put(self, key: str, data: Buffers, *about: Any, **how: Any) -> str:
        self._take("put", key, data, how["seal"])
        self.left.add(key)
        return ""

    def put_part(
        self, key: str, upload_id: str, number: int, data: Buffers, seal: Seal = USUAL
    ) -> dict[str, Any]:
        self._take("part", key, data, seal)
        return {"PartNumber": number}

    def begin(self, key: str, about: object, *, crc32: bool = False) -> str:
        self._may_fail("begin")
        self.began.append(crc32)
        self.left.add(f"upload of {key}")
        return "an-id"

    def ask(self, operation: str, **parameters: Any) -> dict[str, Any]:
        self._may_fail(operation)
        if operation == "abort_multipart_upload":
            self.left.discard(f"upload of {parameters['Key']}")
        return {}

    def delete(self, key: str, retry_time: float = 0.0) -> None:
        self.left.discard(key)

    def _take(self, operation: str, key: str, data: Buffers, seal: Seal) -> None:
        self._may_fail(operation)
        self.sent.append((operation, key, seal))
        right = seal.checksum in ({}, metadata.checksum(data))
        if operation in self.compares and not right:
            raise self.refusal

    def _may_fail(self, operation: str) -> None:
        if operation in self.fails:
            raise self.fails[operation]


def store_on(server: Server) -> S3Store:
    store = S3Store(server.settings, server.transfer)
    store.bucket = server
    store._unsigned = UnsignedPayloads(server)
    return store


def written(server: Server) -> list[tuple[str, Seal]]:
    """Write a claim, an image in one request and one in parts; return the seals."""
    store = store_on(server)
    store.put("claim", DATA)
    store.put("image", DATA, about={})
    writer = store.begin("image")
    writer.send(1, DATA)
    return [(what, seal) for what, key, seal in server.sent if PREFIX not in key]


SIGNED = [("put", USUAL), ("put", USUAL), ("part", USUAL)]
CRC32 = Seal(UNSIGNED, metadata.checksum(DATA))


def test_where_a_wrong_one_is_refused() -> None:
    server = Server("put", "part")
    assert written(server) == [("put", USUAL), ("put", CRC32), ("part", CRC32)]
    assert server.began == [True, True]  # the trial's, and the image's
    assert server.left == {"claim", "image", "upload of image"}


@pytest.mark.parametrize("compares", [(), ("put",), ("part",)])
def test_where_a_wrong_one_is_taken(
    compares: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    """In one of the two ways is enough; one line says so."""
    server = Server(*compares)
    with caplog.at_level(logging.INFO):
        assert written(server) == SIGNED
    assert server.began[-1] is False
    assert server.left == {"claim", "image", "upload of image"}
    lines = [record.getMessage() for record in caplog.records]
    assert lines == ["Store fast: a wrong CRC32 is taken, payloads stay signed"]


@pytest.mark.parametrize(
    "settings", [{"unsigned_payload": False}, {"endpoint": "https://s3.test"}]
)
def test_nothing_is_tried_where_it_makes_no_difference(
    settings: dict[str, Any],
) -> None:
    """Over TLS the usual seal is an unsigned payload already."""
    server = Server("put", "part", **settings)
    assert written(server) == SIGNED
    assert not any(PREFIX in key for _, key, _ in server.sent)


@pytest.mark.parametrize("error", STRAY, ids=lambda error: error.code)
def test_a_refusal_for_another_reason_proves_nothing(
    error: StoreError, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server("put", "part")
    server.refusal = error
    payloads = UnsignedPayloads(server)
    assert not payloads.allowed()
    assert server.left == set()
    asked = len(server.sent)
    server.refusal = BAD_DIGEST
    assert not payloads.allowed()
    assert len(server.sent) == asked  # not yet
    monkeypatch.setattr(payloads._trial, "_not_before", 0.0)  # a minute later
    assert payloads.allowed()
    assert server.left == set()


@pytest.mark.parametrize(
    "operation", ["begin", "put", "part", "abort_multipart_upload"]
)
@pytest.mark.parametrize(
    "error",
    [StoreUnavailable("down"), StoreDenied("not allowed"), BAD_DIGEST],
    ids=lambda error: type(error).__name__,
)
def test_a_trial_that_fails_fails_no_upload(operation: str, error: StoreError) -> None:
    """A server that refuses the right one as well knows no such header."""
    server = Server("put", "part")
    server.fails[operation] = error
    assert not UnsignedPayloads(server).allowed()
    assert not [key for key in server.left if not key.startswith("upload of ")]


@pytest.mark.parametrize("code", sorted(unsigned._REFUSALS))
def test_the_answers_that_are_refusals(code: str) -> None:
    """Those that servers are known to give; what was damaged is sent again."""
    server = Server("put", "part")
    server.refusal = s3errors.of_answer("fast", 400, code)
    assert unsigned.try_out(server)
    assert type(server.refusal) is StoreUnavailable


def test_no_sha256_is_computed_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """That is what the option is for."""
    monkeypatch.setattr(http, "payload_hash", lambda data: pytest.fail("computed"))
    sent: list[dict[str, str]] = []

    def send(
        self: object, method: str, url: str, headers: dict[str, str], *body: object
    ) -> urllib3.HTTPResponse:
        sent.append(headers)
        return urllib3.HTTPResponse(body=b"", preload_content=False)

    monkeypatch.setattr(http.S3HTTP, "send", send)
    bucket = Bucket(store_settings(endpoint="http://s3.test"), TRANSFER)
    bucket.put("image", DATA, seal=CRC32)
    bucket.put_part("image", "an-id", 1, DATA, seal=CRC32)
    for headers in sent:
        assert headers["X-Amz-Content-SHA256"] == UNSIGNED
        signed = headers["Authorization"].partition("SignedHeaders=")[2]
        assert metadata.CRC32 in signed.partition(",")[0].split(";")
    assert len(sent) == 2

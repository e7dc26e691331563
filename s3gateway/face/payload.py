# SPDX-License-Identifier: Apache-2.0
"""The body of an S3 request: reads it, and checks it against what was signed.

``x-amz-content-sha256`` says how the body is vouched for: by its sha256, by signatures
of its chunks, or, over TLS alone, not at all.  Checksums in fields and trailers are
checked as well.  Nothing may become visible before ``check`` has returned.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import zlib
from base64 import b64encode
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Protocol

from s3gateway.face.chunks import Chunks
from s3gateway.face.chunks import Source
from s3gateway.face.errors import S3Error
from s3gateway.face.signature import Signed
from s3gateway.http import request_body
from s3gateway.http.request_body import Body
from s3gateway.http.wsgi import Environ

#: S3 takes no more in one request.
LARGEST = 5 * 1024**3

_SHA256 = re.compile(r"[0-9a-f]{64}")
_LENGTH = re.compile(r"[0-9]{1,15}")
_UNSIGNED = ("UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
_STREAMING = {
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
}
_AWS_CHUNKED = "aws-chunked"
_CHECKSUM = "x-amz-checksum-"
#: Fields named so are no checksums.
_NO_CHECKSUMS = ("algorithm", "mode", "type")
_STEP = 64 * 1024


class _Hash(Protocol):
    def update(self, data: memoryview, /) -> None: ...
    def digest(self) -> bytes: ...


class _CRC32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: memoryview, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


_HASHES: Mapping[str, Callable[[], _Hash]] = {
    "crc32": _CRC32,
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "sha256": hashlib.sha256,
}


class Payload:
    """The body of a signed request, without the framing of ``aws-chunked``.

    :ivar length: in bytes
    :ivar received: bytes that have come so far
    :raises S3Error: if the request does not vouch for its body, or not in a known way
    """

    def __init__(
        self, environ: Environ, fields: Mapping[str, str], signed: Signed
    ) -> None:
        _check_kind(signed.payload, environ.get("wsgi.url_scheme", ""))
        self.received = 0
        self._fields = fields
        self._sha256 = signed.payload if _SHA256.fullmatch(signed.payload) else ""
        self._chunks: Chunks | None = None
        self._source: Source = Body(environ, None, LARGEST + 1024**3)
        if signed.payload in _STREAMING:
            self._chunks = self._source = self._chunked(signed)
            length = fields.get("x-amz-decoded-content-length", "")
            if not _LENGTH.fullmatch(length):
                raise S3Error("MissingContentLength")
            self.length = int(length)
        else:
            self.length = _plain_length(environ, fields)
        if self.length > LARGEST:
            raise S3Error("EntityTooLarge")
        self._hashes = {name: _HASHES[name]() for name in self._algorithms()}
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._checks_md5 = "content-md5" in fields

    def read_into(self, buffer: memoryview) -> int:
        """Fill a buffer; return how many bytes are in it, fewer only at the end.

        :raises GatewayError: if the body breaks off
        :raises S3Error: if it is not as it was announced
        """
        count = self._source.read_into(buffer)
        data = buffer[:count]
        for digest in self._hashes.values():
            digest.update(data)
        if self._checks_md5:
            self._md5.update(data)
        self.received += count
        if self.received > self.length:
            raise S3Error("IncompleteBody")
        return count

    def small(self, most: int) -> bytes:
        """Return a body that is not of image data, after all checks."""
        if self.length > most:
            raise S3Error("EntityTooLarge")
        found, step = b"", memoryview(bytearray(_STEP))
        while count := self.read_into(step):
            found += bytes(step[:count])
        self.check()
        return found

    def check(self) -> None:
        """Check what was announced of the body, which was read to its end.

        :raises S3Error: if the body is another one
        """
        if self.received != self.length or self.read_into(memoryview(bytearray(1))):
            raise S3Error("IncompleteBody")
        if self._sha256 and self._hashes["sha256"].digest().hex() != self._sha256:
            raise S3Error("XAmzContentSHA256Mismatch")
        if self._checks_md5:
            _compare(self._md5.digest(), self._fields["content-md5"])
        for algorithm, expected in self._expected():
            _compare(self._hashes[algorithm].digest(), expected)

    def _chunked(self, signed: Signed) -> Chunks:
        if _coding(self._fields) != _AWS_CHUNKED:
            raise S3Error("InvalidRequest", "The Content-Encoding is not aws-chunked.")
        trailing = signed.payload.endswith("-TRAILER")
        if trailing != ("x-amz-trailer" in self._fields):
            raise S3Error("InvalidRequest", "The request names no trailer.")
        return Chunks(
            self._source,
            signed.signature,
            None if signed.payload in _UNSIGNED else signed.of_chunk,
            has_trailers=trailing,
        )

    def _algorithms(self) -> set[str]:
        """Return the digests to compute, besides md5."""
        names = [name for name in self._fields if name.startswith(_CHECKSUM)]
        names += [self._fields[n] for n in ("x-amz-trailer",) if n in self._fields]
        found = {name.strip().lower().removeprefix(_CHECKSUM) for name in names}
        found -= set(_NO_CHECKSUMS)
        if unknown := found - set(_HASHES):
            raise S3Error("NotImplemented", f"No checksum {', '.join(unknown)} here.")
        return found | ({"sha256"} if self._sha256 else set())

    def _expected(self) -> Iterator[tuple[str, str]]:
        """Yield the announced checksums by algorithm."""
        trailer = self._fields.get("x-amz-trailer", "").strip().lower()
        trailers = self._chunks.trailers if self._chunks else {}
        if set(trailers) != {trailer} - {""}:
            raise S3Error("InvalidRequest", "The trailer is not the announced one.")
        for name, value in {**self._fields, **trailers}.items():
            algorithm = name.removeprefix(_CHECKSUM)
            if algorithm != name and algorithm in self._hashes:
                yield algorithm, value


def _plain_length(environ: Environ, fields: Mapping[str, str]) -> int:
    """Return the length of a body without framing of S3's.

    Without any field about it there is none; were there bytes, ``check`` would tell.
    """
    if request_body.is_chunked(environ):
        raise S3Error("MissingContentLength")
    length = request_body.content_length(environ) or 0
    if _coding(fields):
        raise S3Error("InvalidRequest", "The body is signed without its chunks.")
    return length


def _coding(fields: Mapping[str, str]) -> str:
    """Return the Content-Encoding: ``aws-chunked`` or none.

    S3 would keep any other one with the object, and send it with each GET.
    """
    coding = fields.get("content-encoding", "").strip().lower()
    if coding not in ("", _AWS_CHUNKED):
        raise S3Error("NotImplemented", "The face keeps no Content-Encoding.")
    return coding


def _check_kind(payload: str, scheme: str) -> None:
    if payload in _UNSIGNED and scheme != "https":
        raise S3Error("AccessDenied", "Without TLS the body must be signed.")
    if not (_SHA256.fullmatch(payload) or payload in {*_UNSIGNED, *_STREAMING}):
        raise S3Error("NotImplemented", "The face knows no such x-amz-content-sha256.")


def _compare(digest: bytes, announced: str) -> None:
    if not hmac.compare_digest(b64encode(digest), announced.strip().encode()):
        raise S3Error("BadDigest")

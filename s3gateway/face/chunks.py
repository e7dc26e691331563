# SPDX-License-Identifier: Apache-2.0
r"""``aws-chunked``: reads a body that has chunks, signatures and trailers of S3's own.

It lies within HTTP's own framing
(https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html)::

    10000;chunk-signature=ad80c7...\r\n
    (65536 bytes)\r\n
    0;chunk-signature=b6c6ea...\r\n
    x-amz-checksum-crc32:sOO8/Q==\r\n
    x-amz-trailer-signature:63bdd5...\r\n
    \r\n

Each signature is also over the one before it, and the first over that of the request.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from typing import Protocol

from s3gateway.face.errors import S3Error

EMPTY = hashlib.sha256().hexdigest()

_CHUNK = re.compile(rb"([0-9a-fA-F]{1,12})(?:;chunk-signature=([0-9a-f]{64}))?")
_TRAILER = re.compile(rb"([a-z0-9-]{1,64}):([!-~]{1,256})")
_LONGEST_LINE = 512
_MOST_TRAILERS = 8
_STEP = 64 * 1024

#: Signs some lines that describe a part of a body.
Sign = Callable[..., str]


class Source(Protocol):
    """Fills buffers with what HTTP carries, less only at the end."""

    def read_into(self, buffer: memoryview) -> int: ...


class Chunks:
    """The bytes in the chunks of a body.

    :ivar trailers: the fields behind the last chunk, when that was read
    :param signature: of the request
    :param sign: signs a part of the body; ``None`` if no part is signed
    :param has_trailers: whether the request announces some
    """

    def __init__(
        self,
        source: Source,
        signature: str,
        sign: Sign | None,
        *,
        has_trailers: bool,
    ) -> None:
        self.trailers: dict[str, str] = {}
        self._raw = _Raw(source)
        self._before = signature
        self._sign = sign
        self._has_trailers = has_trailers
        self._left = 0
        self._digest = hashlib.sha256()
        self._claimed = ""
        self._begun = False
        self._ended = False

    def read_into(self, buffer: memoryview) -> int:
        """Fill a buffer; return how many bytes are in it, fewer only at the end.

        :raises S3Error: if the framing or a signature is wrong
        """
        filled = 0
        while filled < len(buffer) and not self._ended:
            if not self._left:
                self._next_chunk()
                continue
            data = buffer[filled : filled + self._left]
            count = self._raw.take_into(data)
            if self._sign:
                self._digest.update(data[:count])
            self._left -= count
            filled += count
        return filled

    def _next_chunk(self) -> None:
        """End a chunk, and begin the next one."""
        if self._begun:
            self._end_chunk()
        found = _CHUNK.fullmatch(self._raw.line())
        if found is None or (self._sign is None) != (found[2] is None):
            raise _broken()
        self._begun = True
        self._left = int(found[1], 16)
        self._claimed = (found[2] or b"").decode()
        if not self._left:
            self._check_chunk()
            self._end()

    def _end_chunk(self) -> None:
        if self._raw.line():
            raise _broken()
        self._check_chunk()

    def _check_chunk(self) -> None:
        digest, self._digest = self._digest.hexdigest(), hashlib.sha256()
        self._check("PAYLOAD", self._claimed, EMPTY, digest)

    def _check(self, kind: str, claimed: str, *lines: str) -> None:
        if self._sign is None:
            return
        expected = self._sign(kind, self._before, *lines)
        if not hmac.compare_digest(expected, claimed):
            raise S3Error("SignatureDoesNotMatch")
        self._before = expected

    def _end(self) -> None:
        """Read what follows the last chunk, up to the end of the body."""
        signed = b""
        while line := self._raw.line().rstrip(b"\n"):
            found = _TRAILER.fullmatch(line)
            if found is None or len(self.trailers) == _MOST_TRAILERS:
                raise _broken()
            name = found[1].decode()
            if name in self.trailers:
                raise _broken()
            self.trailers[name] = found[2].decode()
            if name != "x-amz-trailer-signature":
                signed += line + b"\n"
        if bool(self.trailers) != self._has_trailers or self._raw.has_more():
            raise _broken()
        if self._has_trailers:
            claimed = self.trailers.pop("x-amz-trailer-signature", "")
            self._check("TRAILER", claimed, hashlib.sha256(signed).hexdigest())
        self._ended = True


class _Raw:
    """Reads lines and bytes."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._buffer = memoryview(bytearray(_STEP))
        self._ahead = self._buffer[:0]

    def line(self) -> bytes:
        """Return the next line without its end."""
        found = b""
        while b"\r\n" not in found:
            if len(found) > _LONGEST_LINE or not self.has_more():
                raise _broken()
            found += bytes(self._ahead[:_LONGEST_LINE])
            taken = min(len(self._ahead), _LONGEST_LINE)
            self._ahead = self._ahead[taken:]
        line, _, rest = found.partition(b"\r\n")
        self._give_back(rest)
        return line

    def take_into(self, buffer: memoryview) -> int:
        """Fill some of a buffer; return how much, at least one byte."""
        if not self._ahead:
            count = self._source.read_into(buffer)
            if not count:
                raise S3Error("IncompleteBody")
            return count
        count = min(len(buffer), len(self._ahead))
        buffer[:count] = self._ahead[:count]
        self._ahead = self._ahead[count:]
        return count

    def has_more(self) -> bool:
        """Whether there is another byte."""
        if not self._ahead:
            self._ahead = self._buffer[: self._source.read_into(self._buffer)]
        return bool(self._ahead)

    def _give_back(self, rest: bytes) -> None:
        """Have bytes that were read too far as the next ones."""
        self._ahead = memoryview(rest + bytes(self._ahead))


def _broken() -> S3Error:
    return S3Error("InvalidRequest", "The chunks of the body are not usable.")

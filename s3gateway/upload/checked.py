# SPDX-License-Identifier: Apache-2.0
"""The request body as Glance checks it while it is read."""

from __future__ import annotations

from s3gateway.glance.controllers import Data
from s3gateway.glance.controllers import Verifier
from s3gateway.http.request_body import Body


class CheckedBody:
    """The bytes of a body, which Glance checks as they are read.

    Glance is handed ``read``.  It wraps that in what checks: formats, quotas, limits.
    ``read_into`` reads through all of it; the bytes are put where they are wanted on
    the way, and come back as the same object.

    :ivar checked: what Glance has wrapped around
    """

    def __init__(self, body: Body) -> None:
        self.checked: Data = self
        self._body = body
        self._buffer = memoryview(b"")
        self._last = b""

    @property
    def received(self) -> int:
        """How many bytes have come in."""
        return self._body.received

    def read(self, size: int, /) -> bytes:
        """Return the next bytes of the body, none at its end."""
        buffer = self._buffer[:size] if self._buffer else memoryview(bytearray(size))
        self._last = bytes(buffer[: self._body.read_into(buffer)])
        return self._last

    def read_into(self, buffer: memoryview) -> int:
        """Fill a buffer and return how much is in it; less is the end."""
        self._buffer = buffer
        try:
            found = self.checked.read(len(buffer))
        finally:
            self._buffer = memoryview(b"")
        if found is not self._last:
            buffer[: len(found)] = found
        return len(found)


class Signature:
    """Shows the bytes to what verifies the image's signature, if there is one."""

    def __init__(self, verifier: Verifier | None) -> None:
        self._verifier = verifier

    def feed(self, data: memoryview) -> None:
        if self._verifier is not None:
            self._verifier.update(bytes(data))

    def finish(self) -> int:
        """Glance itself judges the content, and knows its virtual size."""
        return 0

# SPDX-License-Identifier: Apache-2.0
"""Reads a request body through the checks that Glance puts around it."""

from __future__ import annotations

from s3gateway.glance.controllers import Data
from s3gateway.glance.controllers import Verifier
from s3gateway.http.request_body import Body


class CheckedBody:
    """A body that Glance checks while it is read.

    Glance gets this object, and wraps ``read`` in its checks of formats, quotas and
    limits.  ``read_into`` reads through these wrappers.  ``read`` puts the bytes into
    the wanted buffer on the way, so ``read_into`` need not copy them.

    :ivar checked: the object with Glance's wrappers around it
    """

    def __init__(self, body: Body) -> None:
        self.checked: Data = self
        self._body = body
        self._buffer = memoryview(b"")
        self._last = b""

    @property
    def received(self) -> int:
        """Number of bytes received so far."""
        return self._body.received

    def read(self, size: int, /) -> bytes:
        """Return the next bytes of the body, none at its end."""
        buffer = self._buffer[:size] if self._buffer else memoryview(bytearray(size))
        self._last = bytes(buffer[: self._body.read_into(buffer)])
        return self._last

    def read_into(self, buffer: memoryview) -> int:
        """Fill a buffer; return how many bytes are in it, fewer only at the end."""
        self._buffer = buffer
        try:
            found = self.checked.read(len(buffer))
        finally:
            self._buffer = memoryview(b"")
        if found is not self._last:
            buffer[: len(found)] = found
        return len(found)


class Signature:
    """Feeds the bytes to the verifier of the image's signature, if there is one."""

    def __init__(self, verifier: Verifier | None) -> None:
        self._verifier = verifier

    def feed(self, data: memoryview) -> None:
        if self._verifier is not None:
            self._verifier.update(bytes(data))

    def finish(self) -> int:
        """Return 0: Glance itself checks the content and finds the virtual size."""
        return 0

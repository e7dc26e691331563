# SPDX-License-Identifier: Apache-2.0
"""Where the bytes of a copy come from."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator

from s3gateway.download.failover import Copies
from s3gateway.errors import GatewayError
from s3gateway.errors import SizeMismatch
from s3gateway.glance.api import Image
from s3gateway.http.ranges import Span
from s3gateway.manage.operator import Operator


class Pieces:
    """Bytes that come in pieces of any size, as ``stream.Source`` reads them.

    :param size: how many there must be
    :param moved: called with the number of bytes whenever some came
    """

    def __init__(
        self, pieces: Iterator[bytes], size: int, moved: Callable[[int], None]
    ) -> None:
        self.received = 0
        self._pieces = pieces
        self._size = size
        self._moved = moved
        self._rest = memoryview(b"")

    def read_into(self, buffer: memoryview) -> int:
        """Fill a buffer and return how much is in it; less is the end.

        :raises SizeMismatch: if there are more or fewer bytes than there must be
        """
        filled = 0
        while filled < len(buffer):
            if not self._rest:
                self._rest = memoryview(next(self._pieces, b""))
            if not self._rest:
                break
            data = self._rest[: len(buffer) - filled]
            self._rest = self._rest[len(data) :]
            buffer[filled : filled + len(data)] = data
            filled += len(data)
        self.received += filled
        self._moved(filled)
        at_end = filled < len(buffer)
        if self.received > self._size or (at_end and self.received < self._size):
            raise SizeMismatch(f"the source is not {self._size} bytes long")
        return filled


def of_glance(glance: Operator, image: Image) -> Iterator[bytes]:
    """Yield an image as Glance hands it out, from whichever store it reads.

    :raises GatewayError: if it does not
    """
    answer = glance.ask("GET", f"/v2/images/{image.id}/file")
    try:
        if answer.code != 200:
            raise GatewayError(f"Glance does not hand it out: {answer.status}")
        yield from answer.body
    finally:
        answer.close()


def of_copies(copies: Copies, span: Span) -> Iterator[bytes]:
    """Yield an image from its copies in S3.

    :raises StoreError: if none has it
    """
    try:
        while copies.at < span.stop:
            yield copies.read()
    finally:
        copies.close()

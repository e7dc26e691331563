# SPDX-License-Identifier: Apache-2.0
"""Reading images where they are: to copy them, and to see whether they are whole."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping

from s3gateway import uris
from s3gateway.config.stores import MIB
from s3gateway.config.stores import StoreSettings
from s3gateway.download.failover import Copies
from s3gateway.download.failover import Copy
from s3gateway.errors import GatewayError
from s3gateway.errors import SizeMismatch
from s3gateway.glance.api import Image
from s3gateway.glance.image import Location
from s3gateway.glance.image import store_of
from s3gateway.http.ranges import Span
from s3gateway.manage.operator import Operator
from s3gateway.store import ObjectStore
from s3gateway.streams.digests import Digests
from s3gateway.upload.expected import MD5

_MOST_WAITING = 16 * MIB


def copy_at(location: Location, stores: Mapping[str, ObjectStore]) -> Copy | None:
    """Return the copy at a location, ``None`` if it is in no S3 store of ours."""
    uri = uris.try_parse(location.url)
    settings: dict[str, StoreSettings] = {n: s.settings for n, s in stores.items()}
    store = stores.get(store_of(location, settings))
    return Copy(store, uri.bucket, uri.key) if uri and store else None


def digest_of(image: Image) -> tuple[str, str]:
    """Return the algorithm and the digest of an image, both empty without one."""
    if image.os_hash_value:
        return image.os_hash_algo, image.os_hash_value
    return (MD5, image.checksum) if image.checksum else ("", "")


def has_size(image: Image, copy: Copy) -> None:
    """Make sure that a copy is there and as long as the image.

    :raises StoreError: if not, or if the store does not say
    """
    size = image.size or 0
    span = Span(0, min(1, size))
    copy.open(span, size=size).close()


def has_digest(
    image: Image, copy: Copy, *, retry_time: float, moved: Callable[[int], None]
) -> bool:
    """Read all of a copy; whether it is the image.

    :param retry_time: how long a store that breaks off is asked, in seconds
    :param moved: called with the number of bytes whenever some were read
    :raises StoreError: if the copy could not be read to its end
    """
    algorithm, expected = digest_of(image)
    fed = 0
    with Digests([algorithm]) as digests:
        for data in of_copies(image, [copy], retry_time):
            digests.feed(memoryview(data))
            fed += len(data)
            digests.wait(fed - _MOST_WAITING)
            moved(len(data))
        return digests.hexdigests()[algorithm] == expected


class Pieces:
    """Bytes that come in pieces of any size, as ``cutting.Source`` reads them.

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


def of_copies(image: Image, found: list[Copy], retry_time: float) -> Iterator[bytes]:
    """Yield an image from its copies in S3.

    :param retry_time: how long a store that breaks off is asked, in seconds
    :raises StoreError: if none has it
    """
    span = Span(0, image.size or 0)
    reader = Copies(image.id, found, span, size=span.length, retry_time=retry_time)
    try:
        while reader.at < span.stop:
            yield reader.read()
    finally:
        reader.close()

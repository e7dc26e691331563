# SPDX-License-Identifier: Apache-2.0
"""Reading copies of images, to see whether they are what Glance says they are."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping

from s3gateway import uris
from s3gateway.config.stores import StoreSettings
from s3gateway.download.failover import Copies
from s3gateway.download.failover import Copy
from s3gateway.glance.api import Image
from s3gateway.glance.image import Location
from s3gateway.glance.image import store_of
from s3gateway.http.ranges import Span
from s3gateway.store import ObjectStore
from s3gateway.streams.digests import Digests
from s3gateway.upload.expected import MD5

_MOST_WAITING = 16 * 1024**2  # bytes


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
    copy.store.read(copy.key, span, size=size, bucket=copy.bucket).close()


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
        for data in _bytes_of(image, copy, retry_time):
            digests.feed(memoryview(data))
            fed += len(data)
            digests.wait(fed - _MOST_WAITING)
            moved(len(data))
        return digests.hexdigests()[algorithm] == expected


def _bytes_of(image: Image, copy: Copy, retry_time: float) -> Iterator[bytes]:
    span = Span(0, image.size or 0)
    reader = Copies(image.id, [copy], span, size=span.length, retry_time=retry_time)
    try:
        while reader.at < span.stop:
            yield reader.read()
    finally:
        reader.close()

# SPDX-License-Identifier: Apache-2.0
"""Parts of a multipart upload: their sizes and bytes.

S3 allows at most 10,000 parts, of 5 MiB or more (all but the last), in objects of up to
5 TiB (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html).
"""

from __future__ import annotations

import dataclasses
import mmap

from s3gateway.config.stores import MIB
from s3gateway.errors import TooLarge
from s3gateway.streams.buffers import SLAB

MAX_PARTS = 10_000

# While the image's size is unknown, each part is this fraction of all bytes before it,
# so parts grow as late as possible.  Parts that begin with 5 MiB reach 5 TiB after
# 9,900 parts; parts of 10 MiB begin to grow after 12.5 GiB.
_GROWTH = 1280


@dataclasses.dataclass(frozen=True)
class Part:
    """Some of an image's bytes, in slabs; the last slab may be partly filled.

    :ivar number: 1 or more
    :ivar start: position of its first byte in the image
    :ivar planned: number of bytes reserved for it
    """

    number: int
    start: int
    length: int
    planned: int
    slabs: list[mmap.mmap]

    @property
    def stop(self) -> int:
        return self.start + self.length

    def buffers(self) -> list[memoryview]:
        """Return the part's bytes in order."""
        views = [memoryview(slab) for slab in self.slabs]
        if not views:
            return []
        views[-1] = views[-1][: self.length - (len(views) - 1) * SLAB]
        return views


def part_size(base: int, sent: int, length: int | None) -> int:
    """Return the size of the next part, in bytes.

    :param base: the configured part size
    :param sent: the bytes in all parts before it
    :param length: the image's size, ``None`` while it is unknown
    """
    if length is None:
        return max(base, _whole_mib(sent / _GROWTH))
    return max(base, _whole_mib(length / MAX_PARTS))


def equal_part_size(base: int, sent: int) -> int:
    """Return the size of the next part if all have one size and the length is unknown.

    :raises TooLarge: if no more parts are allowed
    """
    most = base * MAX_PARTS
    if sent >= most:
        raise TooLarge(
            f"Without an announced size an image may have {most // MIB} MiB in this "
            "store: send x-openstack-image-size."
        )
    return base


def _whole_mib(size: float) -> int:
    return -int(-size // MIB) * MIB

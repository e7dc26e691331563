# SPDX-License-Identifier: Apache-2.0
"""How an image is cut into the parts of a multipart upload.

Pure arithmetic over S3's limits: at most 10,000 parts, of 5 MiB or more (all
but the last), in objects of up to 5 TiB
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html).
"""

from __future__ import annotations

MIB = 1024**2
MAX_PARTS = 10_000
MAX_OBJECT_SIZE = 5 * 1024**4

# While the image's length is unknown, each part is this fraction of all bytes
# before it, so memory grows as late as it can.  From parts of 5 MiB that takes
# 9,900 parts to 5 TiB; parts of 10 MiB begin to grow after 12.5 GiB.
_GROWTH = 1280


def part_size(base: int, sent: int, length: int | None) -> int:
    """Return the size of the next part, in bytes.

    :param base: the configured part size
    :param sent: the bytes in all parts before it
    :param length: the image's size, ``None`` while it is unknown
    """
    if length is None:
        return max(base, _whole_mib(sent / _GROWTH))
    return max(base, _whole_mib(length / MAX_PARTS))


def _whole_mib(size: float) -> int:
    return -int(-size // MIB) * MIB

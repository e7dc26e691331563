# SPDX-License-Identifier: Apache-2.0
"""The memory that parts wait in on their way to S3.

It is made of slabs of one size that are used again and again: an allocator
would keep what large parts of changing sizes leave behind.
"""

from __future__ import annotations

import collections
from collections.abc import Iterable

SLAB = 1024**2  # bytes


class Slabs:
    """The slabs of one process.

    :param keep: how many unused ones are kept for the next upload
    """

    def __init__(self, keep: int) -> None:
        # A deque's methods are atomic, and maxlen drops what is too many.
        self._unused: collections.deque[bytearray] = collections.deque(maxlen=keep)

    def take(self) -> bytearray:
        """Return a slab of ``SLAB`` bytes of any content."""
        try:
            return self._unused.pop()
        except IndexError:
            return bytearray(SLAB)

    def give_back(self, slabs: Iterable[bytearray]) -> None:
        """Take back slabs that nobody reads or writes any more."""
        self._unused.extend(slabs)

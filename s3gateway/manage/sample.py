# SPDX-License-Identifier: Apache-2.0
"""Image data to send and to compare: random, of any size, and never held in memory."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator

_BLOCK = 1024**2


class Sample:
    """Bytes that nobody has seen, the same ones whenever they are asked for.

    They are made from a seed, block by block.  As a body of a request it has a length.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._seed = secrets.token_bytes(16)

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, self._size, _BLOCK):
            yield self._block(start // _BLOCK)[: self._size - start]

    def part(self, start: int, stop: int) -> bytes:
        """Return the bytes from one offset up to another."""
        first, last = start // _BLOCK, (stop - 1) // _BLOCK
        blocks = b"".join(self._block(number) for number in range(first, last + 1))
        return blocks[start - first * _BLOCK : stop - first * _BLOCK]

    def digest(self, algorithm: str) -> str:
        """Return the digest of all of it in hexadecimal.

        :raises ValueError: if hashlib does not know the algorithm
        """
        found = hashlib.new(algorithm, usedforsecurity=False)
        for block in self:
            found.update(block)
        return found.hexdigest()

    def _block(self, number: int) -> bytes:
        seed = self._seed + number.to_bytes(8, "big")
        return hashlib.shake_128(seed).digest(_BLOCK)

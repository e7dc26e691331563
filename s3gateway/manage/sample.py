# SPDX-License-Identifier: Apache-2.0
"""Image data to send and to compare: of any size, and never held in memory."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from collections.abc import Iterator

_BLOCK = 1024**2
#: Odd, so that blocks of the same data begin anew only after a tebibyte.
_STEP = 65537


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


class Pattern:
    """Bytes that cost next to nothing to make and to compare.

    Each block is a slice of the same noise.  The slices begin at other bytes in
    each pattern, so that a server finds little that it has already.

    :param noise: what they are slices of
    :param moved: called with the number of bytes whenever some are handed out
    """

    def __init__(self, noise: bytes, size: int, moved: Callable[[int], None]) -> None:
        self._noise = noise
        self._size = size
        self._moved = moved
        self._first = secrets.randbelow(_BLOCK)

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, self._size, _BLOCK):
            block = self._part(start, min(start + _BLOCK, self._size))
            self._moved(len(block))
            yield block

    def is_the_same(self, chunks: Iterator[bytes]) -> bool:
        """Whether chunks of any sizes are these bytes."""
        at = 0
        for chunk in chunks:
            for done in range(0, len(chunk), _BLOCK):
                piece = chunk[done : done + _BLOCK]
                if piece != self._part(at, at + len(piece)):
                    return False
                at += len(piece)
                self._moved(len(piece))
        return at == self._size

    def _part(self, start: int, stop: int) -> bytes:
        """Return the bytes up to another offset, a block at most."""
        begin, number = start % _BLOCK, start // _BLOCK
        rest = self._slice(number, begin, min(begin + stop - start, _BLOCK))
        missing = stop - start - len(rest)
        return rest + self._slice(number + 1, 0, missing) if missing else rest

    def _slice(self, number: int, start: int, stop: int) -> bytes:
        offset = (self._first + number * _STEP) % _BLOCK
        return self._noise[offset + start : offset + stop]


def noise() -> bytes:
    """Return random bytes for patterns."""
    return secrets.token_bytes(2 * _BLOCK)

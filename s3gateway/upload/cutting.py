# SPDX-License-Identifier: Apache-2.0
"""A request body cut into parts, in memory that is bounded and used again."""

from __future__ import annotations

import dataclasses
import mmap
from collections.abc import Callable
from collections.abc import Iterator
from typing import Protocol

from s3gateway.streams.buffers import SLAB
from s3gateway.streams.buffers import Slabs
from s3gateway.upload import parts


class Source(Protocol):
    """An image's bytes on their way in, as ``bodies.Body`` has them."""

    received: int

    def read_into(self, buffer: memoryview) -> int: ...


Watch = Callable[[memoryview], None]


@dataclasses.dataclass(frozen=True)
class Part:
    """Some of an image's bytes, in slabs; the last slab may be partly filled.

    :param number: 1 or more
    :param start: where in the image its first byte is
    :param planned: how many bytes were reserved for it
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
        views[-1] = views[-1][: self.length - (len(views) - 1) * SLAB]
        return views


def cut(
    body: Source,
    slabs: Slabs,
    *,
    base: int,
    length: int | None,
    reserve: Callable[[int], None],
    watch: Watch,
) -> Iterator[Part]:
    """Yield the body in parts; an empty body yields none.

    :param base: the configured part size in bytes, whole slabs
    :param length: the size of the image if it is known
    :param reserve: called with a part's size before memory is taken for it
    :param watch: called with each slab's bytes, in order
    """
    number, start, filled = 1, 0, SLAB
    while filled == SLAB:
        size = parts.part_size(base, start, length)
        if length is not None:  # behind the last byte the end is still to be seen
            size = min(size, max(length - start, 1))
        reserve(size)
        taken: list[mmap.mmap] = []
        while len(taken) * SLAB < size and filled == SLAB:
            slab = slabs.take()
            filled = body.read_into(memoryview(slab))
            if filled:
                taken.append(slab)
                watch(memoryview(slab)[:filled])
        part = Part(number, start, body.received - start, size, taken)
        if part.length:
            yield part
        number, start = number + 1, part.stop

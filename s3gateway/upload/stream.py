# SPDX-License-Identifier: Apache-2.0
"""Streams an image into a store: slabs, digests, parts, commit.

::

    source --> slabs --> digests (a thread each)
                 |
                 +-----> parts --> sender (threads) --> store

The slabs of a part are reused when the store and the digests have its bytes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import mmap
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Protocol

from s3gateway.config.settings import TransferSettings
from s3gateway.store import NOTHING
from s3gateway.store import About
from s3gateway.store import ObjectStore
from s3gateway.streams.buffers import SLAB
from s3gateway.streams.buffers import Budget
from s3gateway.streams.buffers import Slabs
from s3gateway.streams.digests import Digests
from s3gateway.upload.parts import Part
from s3gateway.upload.parts import equal_part_size
from s3gateway.upload.parts import part_size
from s3gateway.upload.sender import Sender


class Source(Protocol):
    """A reader of an image's bytes, such as ``request_body.Body``."""

    @property
    def received(self) -> int:
        """Number of bytes received so far."""

    def read_into(self, buffer: memoryview) -> int: ...


@dataclasses.dataclass(frozen=True)
class Memory:
    """The memory that all streams of a process share.

    :ivar most: most bytes of one stream; two parts are always allowed
    """

    slabs: Slabs
    budget: Budget
    most: int

    @classmethod
    def of(cls, transfer: TransferSettings) -> Memory:
        """Make it from the settings."""
        return cls(
            Slabs(transfer.upload_buffer // SLAB),
            Budget(transfer.upload_memory, "upload"),
            transfer.upload_buffer,
        )


class Stream:
    """A stream of an image into a store; made by ``into``."""

    def __init__(
        self,
        sender: Sender,
        slabs: Slabs,
        digests: Digests,
        sizes: Callable[[int], int],
    ) -> None:
        self._sender = sender
        self._slabs = slabs
        self._digests = digests
        self._sizes = sizes

    def send(self, source: Source) -> Iterator[memoryview]:
        """Send all bytes of a source; yield them slab by slab.

        Each yielded slab is valid until the next one.
        """
        number, start, filled = 1, 0, SLAB
        while filled == SLAB:
            size = self._sizes(start)
            self._sender.reserve(size)
            slabs: list[mmap.mmap] = []
            while len(slabs) * SLAB < size and filled == SLAB:
                slab = self._slabs.take()
                filled = source.read_into(memoryview(slab))
                if filled:
                    slabs.append(slab)
                    data = memoryview(slab)[:filled]
                    self._digests.feed(data)
                    yield data
            part = Part(number, start, source.received - start, size, slabs)
            if part.length:
                self._sender.send(part)
            number, start = number + 1, part.stop

    def hexdigests(self) -> dict[str, str]:
        """Return the digests of all bytes, in hexadecimal, by algorithm."""
        return self._digests.hexdigests()

    def commit(self, about: About = NOTHING) -> str:
        """Make the object visible when all its parts are stored.

        :param about: facts about the image, as in ``Sender.commit``
        :return: the object's etag; empty if the store returns none
        :raises StoreError: if a part or the commit failed
        """
        return self._sender.commit(about)


@contextlib.contextmanager
def into(
    store: ObjectStore,
    key: str,
    memory: Memory,
    *,
    length: int | None,
    algorithms: Iterable[str],
    began: Callable[[str], None],
    about: About = NOTHING,
) -> Iterator[Stream]:
    """Open a stream; leaving the context without a commit leaves no object.

    :param key: the object's key, which no other attempt uses
    :param length: the object's size in bytes, ``None`` while unknown
    :param algorithms: names of the wanted digests
    :param began: called with the id of a multipart upload before its first part is
        sent
    :param about: the facts about the image that are known before its data
    """

    def size_from(start: int) -> int:
        base = store.settings.part_size
        if length is None and store.settings.equal_parts:
            return equal_part_size(base, start)
        size = part_size(base, start, length)
        if length is None:
            return size
        return min(size, max(length - start, 1))  # 1 to read the end

    def give_back(part: Part) -> None:
        digests.wait(part.stop)
        memory.slabs.give_back(part.slabs)

    with (
        memory.slabs.in_use(),
        Digests(algorithms) as digests,
        Sender(
            store,
            key,
            length=length,
            most_bytes=memory.most,
            budget=memory.budget,
            began=began,
            release=give_back,
            about=about,
        ) as sender,
    ):
        yield Stream(sender, memory.slabs, digests, size_from)

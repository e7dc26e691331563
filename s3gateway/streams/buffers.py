# SPDX-License-Identifier: Apache-2.0
"""Buffers for image data, and a budget of memory for each process.

Parts of uploads and pieces of downloads lie in slabs of one size, which are reused.
Slabs are mapped memory: an allocator would keep freed memory to itself.
"""

from __future__ import annotations

import collections
import contextlib
import mmap
import threading
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator

from s3gateway.monitoring import metrics

SLAB = 1024**2  # bytes


class Slabs:
    """The slabs of one process.

    :param keep: most unused slabs that are kept for each running transfer
    """

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._users = 0
        self._lock = threading.Lock()
        # A deque's methods are atomic.
        self._unused: collections.deque[mmap.mmap] = collections.deque()

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep slabs for one transfer until it is over."""
        with self._lock:
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                self._drop(len(self._unused) - self._keep * self._users)

    def take(self) -> mmap.mmap:
        """Return a slab of ``SLAB`` bytes with any content."""
        try:
            return self._unused.pop()
        except IndexError:
            return mmap.mmap(-1, SLAB, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)

    def give_back(self, slabs: Iterable[mmap.mmap]) -> None:
        """Take back slabs that nobody reads or writes any more."""
        self._unused.extend(slabs)

    def _drop(self, count: int) -> None:
        with contextlib.suppress(IndexError):  # others may have taken them meanwhile
            for _ in range(count):
                self._unused.pop()


class Budget:
    """The memory that all uploads, or all downloads, of a process share.

    :ivar size: in bytes
    :param operation: ``upload`` or ``download``
    """

    def __init__(self, size: int, operation: str) -> None:
        self.size = size
        self._left = size
        self._gauge = metrics.BUFFER_BYTES.labels(operation)
        self._moved = threading.Condition()

    def take(self, size: int) -> bool:
        """Take this much if it is left; return whether it was."""
        with self._moved:
            if self._left < size:
                return False
            self._take(size)
            return True

    def wait_for(self, size: int, at_once: Callable[[], bool]) -> None:
        """Take this much as soon as it is left, or at once if ``at_once`` says so."""
        with self._moved:
            self._moved.wait_for(lambda: self._left >= size or at_once())
            self._take(size)

    def give_back(self, size: int) -> None:
        """Give back what was taken."""
        with self._moved:
            self._left += size
            self._moved.notify_all()
        self._gauge.dec(size)

    def _take(self, size: int) -> None:
        self._left -= size
        self._gauge.inc(size)

# SPDX-License-Identifier: Apache-2.0
"""Workers that share a directory of hot images, each with pieces of its own.

Two workers of one process lock each other out as two processes do: ``flock`` belongs to
the open file.
"""

from __future__ import annotations

import pathlib
import random
import threading
from concurrent import futures

from s3gateway.config.hot import HotImagesSettings
from s3gateway.download.failover import Version
from s3gateway.download.hot.images import HotImages
from s3gateway.download.hot.names import is_piece
from s3gateway.download.pieces import Pieces
from s3gateway.http.answer_body import AnswerBody
from s3gateway.http.ranges import Span
from s3gateway.streams.buffers import Budget
from s3gateway.streams.buffers import Slabs
from tests.support.s3.memory import MIB
from tests.support.s3.memory import MemoryStore
from tests.unit.download.delivering import all_closed
from tests.unit.download.delivering import deliver
from tests.unit.download.delivering import store

PIECE = MIB
COUNT = 6  # pieces
SIZE = 5 * PIECE + 12_345
DATA = random.Random(3).randbytes(SIZE)  # noqa: S311
IMAGE = "2f5d5a0e-0000-4000-8000-000000000001"
VERSION = Version(IMAGE, "sha512:abcdef")


class Worker:
    """A process, as far as downloads see it.

    :ivar images: what it has of the directory
    :ivar budget: the memory for its pieces
    """

    def __init__(self, settings: HotImagesSettings, store: MemoryStore) -> None:
        self.store = store
        self.images = HotImages(settings)
        self.memory = SIZE
        self.budget = Budget(self.memory, "download")
        self.pieces = Pieces(PIECE, 4, self.budget, Slabs(4), self.images)

    def begin(
        self, *, span: Span | None = None, version: Version = VERSION
    ) -> AnswerBody:
        """Begin a download."""
        return deliver(self.store, span=span, pieces=self.pieces, version=version)

    def download(self) -> bytes:
        """Download all of it."""
        return b"".join(self.begin())

    def at_once(self, count: int) -> None:
        """Let many clients download it at once."""
        with futures.ThreadPoolExecutor(count) as pool:
            bodies = pool.map(lambda _: self.download(), range(count))
            assert set(bodies) == {DATA}

    def has_all_memory(self) -> bool:
        if not self.budget.take(self.memory):
            return False
        self.budget.give_back(self.memory)
        return True


class Ground:
    """A store with one object, a directory, and the workers on it."""

    def __init__(
        self, path: pathlib.Path, *, size: int = 20 * MIB, age: float = 3600.0
    ) -> None:
        self.path = path
        self._others = set(threading.enumerate())
        self.store = store(data=DATA)
        self.settings = HotImagesSettings(size=size, directory=path, age=age)

    def worker(self) -> Worker:
        return Worker(self.settings, self.store)

    def make_hot(self) -> Worker:
        """Download it twice, so that all pieces are in the directory."""
        worker = self.worker()
        assert worker.download() == worker.download() == DATA
        self.wait_for_pieces()
        return worker

    def wait_for_writers(self) -> None:
        """Wait until nothing is written, published or swept any more.

        A writer does so a while after the last bytes of its piece were handed out.  All
        downloads have to be over.
        """
        for thread in set(threading.enumerate()) - self._others:
            if thread.name.startswith("s3-piece"):
                thread.join(60)
                assert not thread.is_alive()

    def wait_for_pieces(self) -> None:
        """Have all pieces in the directory, and nobody at work on it."""
        self.wait_for_writers()
        assert len(self.pieces()) >= COUNT
        assert not self.drafts()

    def has_no_piece(self) -> bool:
        """Whether no piece is left when all is written; it goes as soon as it is."""
        self.wait_for_writers()
        return not self.pieces()

    def pieces(self) -> list[pathlib.Path]:
        """Return the files of complete pieces."""
        return sorted(path for path in self.path.iterdir() if is_piece(path.name))

    def drafts(self) -> list[pathlib.Path]:
        """Return the files that are being written, or were left."""
        return sorted(self.path.glob("*.draft"))

    def nothing_is_left(self, *workers: Worker) -> bool:
        """Whether no memory is used, no connection is open and no draft is left."""
        self.wait_for_writers()
        memory = all(worker.has_all_memory() for worker in workers)
        return all_closed(self.store) and memory and not self.drafts()

# SPDX-License-Identifier: Apache-2.0
"""The digests of an image, computed while its bytes pass by.

md5 and sha512 cost about as much as all the rest of an upload, and hashlib
lets go of the interpreter while it works: each algorithm has its own thread.
"""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Iterable


class Digests:
    """Several digests of one stream of bytes; close it on every path."""

    def __init__(self, algorithms: Iterable[str]) -> None:
        self._fed = 0
        self._workers: list[_Worker] = []
        try:
            for name in dict.fromkeys(algorithms):
                self._workers.append(_Worker(name))
        except BaseException:  # no thread can start: those that did must end
            self.close()
            raise

    def feed(self, data: memoryview) -> None:
        """Take the next bytes.

        Returns at once; ``data`` must keep its content until ``wait`` has
        returned for the position behind it.
        """
        self._fed += len(data)
        for worker in self._workers:
            worker.feed(data)

    def wait(self, position: int) -> None:
        """Wait until every digest has taken in all bytes before ``position``."""
        for worker in self._workers:
            worker.wait(position)

    def hexdigests(self) -> dict[str, str]:
        """Return the digests of all that was fed, in hexadecimal, by algorithm."""
        self.wait(self._fed)
        return {worker.name: worker.hexdigest() for worker in self._workers}

    def close(self) -> None:
        """Stop the threads; bytes not yet taken in are dropped."""
        for worker in self._workers:
            worker.close()

    def __enter__(self) -> Digests:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class _Worker:
    def __init__(self, name: str) -> None:
        self.name = name
        self.hash = hashlib.new(name, usedforsecurity=False)
        self._queue: queue.SimpleQueue[memoryview | None] = queue.SimpleQueue()
        self._position = 0
        self._moved = threading.Condition()
        self._closed = False
        self._failure: BaseException | None = None
        threading.Thread(target=self._run, name=f"digest-{name}", daemon=True).start()

    def feed(self, data: memoryview) -> None:
        self._queue.put(data)

    def wait(self, position: int) -> None:
        with self._moved:
            self._moved.wait_for(lambda: self._closed or self._position >= position)

    def hexdigest(self) -> str:
        if self._failure is not None:
            raise self._failure
        return self.hash.hexdigest()

    def close(self) -> None:
        with self._moved:
            self._closed = True
            self._moved.notify_all()
        self._queue.put(None)

    def _run(self) -> None:
        try:
            self._digest()
        except BaseException as error:  # noqa: BLE001  hexdigest raises it
            self._failure = error
            self.close()

    def _digest(self) -> None:
        while not self._closed and (data := self._queue.get()) is not None:
            self.hash.update(data)
            with self._moved:
                self._position += len(data)
                self._moved.notify_all()

# SPDX-License-Identifier: Apache-2.0
"""Computes or checks the digests of an image while its bytes pass by.

md5 and sha512 cost about as much as the rest of an upload.  hashlib releases the GIL
while it works, so each algorithm has its own thread.
"""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Iterable

from s3gateway.errors import GatewayError
from s3gateway.errors import ObjectNotFound

_MOST_WAITING = 16 * 1024**2  # bytes


class Digests:
    """Several digests of one stream of bytes; close it on every path."""

    def __init__(self, algorithms: Iterable[str]) -> None:
        self._fed = 0
        self._workers: list[_Worker] = []
        try:
            for name in dict.fromkeys(algorithms):
                self._workers.append(_Worker(name))
        except BaseException:
            self.close()
            raise

    def feed(self, data: memoryview) -> None:
        """Take the next bytes.

        Return at once.  ``data`` must not change until ``wait`` has returned for the
        position behind it.
        """
        self._fed += len(data)
        for worker in self._workers:
            worker.feed(data)

    def wait(self, position: int) -> None:
        """Wait until no digest needs any byte before ``position``."""
        for worker in self._workers:
            worker.wait(position)

    def hexdigests(self) -> dict[str, str]:
        """Return the digests of all bytes so far, in hexadecimal, by algorithm.

        :raises GatewayError: if one of them could not be computed
        """
        self.wait(self._fed)
        return {worker.name: worker.hexdigest(self._fed) for worker in self._workers}

    def close(self) -> None:
        """Stop the threads; drop bytes that are still waiting."""
        for worker in self._workers:
            worker.close()

    def __enter__(self) -> Digests:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class Verification:
    """Compares the digest of an image with the expected one at its last bytes.

    :param size: of the image in bytes
    :param expected: the digest in hexadecimal
    """

    def __init__(self, size: int, algorithm: str, expected: str) -> None:
        self._size = size
        self._fed = 0
        self._algorithm = algorithm
        self._expected = expected
        self._digests = Digests([algorithm])

    def feed(self, data: bytes) -> None:
        """Take in the next bytes.

        :raises ObjectNotFound: with the last bytes, if the digest differs
        """
        self._digests.feed(memoryview(data))
        self._fed += len(data)
        self._digests.wait(self._fed - _MOST_WAITING)
        if self._fed < self._size:
            return
        found = self._digests.hexdigests()[self._algorithm]
        if found != self._expected:
            raise ObjectNotFound(
                f"The {self._algorithm} of the data is {found}, not {self._expected}"
            )

    def close(self) -> None:
        """Stop, even if bytes are missing."""
        self._digests.close()


class _Worker:
    def __init__(self, name: str) -> None:
        self.name = name
        self._hash = hashlib.new(name, usedforsecurity=False)
        self._queue: queue.SimpleQueue[memoryview | None] = queue.SimpleQueue()
        self._position = 0
        self._moved = threading.Condition()
        self._closed = False
        threading.Thread(target=self._run, name=f"digest-{name}", daemon=True).start()

    def feed(self, data: memoryview) -> None:
        self._queue.put(data)

    def wait(self, position: int) -> None:
        with self._moved:
            self._moved.wait_for(lambda: self._closed or self._position >= position)

    def hexdigest(self, count: int) -> str:
        """Return the digest of the first ``count`` bytes, which must be all so far.

        :raises GatewayError: if not all of them were processed
        """
        with self._moved:
            if self._position != count:
                raise GatewayError(f"The {self.name} of the data was not computed.")
            return self._hash.hexdigest()

    def close(self) -> None:
        with self._moved:
            self._closed = True
            self._moved.notify_all()
        self._queue.put(None)

    def _run(self) -> None:
        try:
            while not self._closed and (data := self._queue.get()) is not None:
                self._hash.update(data)
                with self._moved:
                    self._position += len(data)
                    self._moved.notify_all()
        finally:  # nobody may wait for a thread that has ended
            self.close()

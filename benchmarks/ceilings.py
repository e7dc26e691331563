# SPDX-License-Identifier: Apache-2.0
"""The upper limit of upload speed on this processor: the digests alone."""

from __future__ import annotations

import hashlib
import os
import statistics
import time
from collections.abc import Iterator

_MIB = 1024**2
_ROUNDS = 256  # MiB of each run
_RUNS = 5
_ALGORITHMS = ("md5", "sha512", "sha256")


def digests() -> Iterator[tuple[str, float]]:
    """Yield each algorithm with the CPU seconds that it costs per GiB."""
    data = os.urandom(_MIB)
    for name in _ALGORITHMS:
        yield name, statistics.median(_cost(name, data) for _ in range(_RUNS))


def _cost(name: str, data: bytes) -> float:
    digest = hashlib.new(name, usedforsecurity=False)
    began = time.thread_time()
    for _ in range(_ROUNDS):
        digest.update(data)
    return (time.thread_time() - began) * 1024 / _ROUNDS

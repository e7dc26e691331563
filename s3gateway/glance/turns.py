# SPDX-License-Identifier: Apache-2.0
"""PATCH of ``/locations`` in turn: a few registrations of a process at once.

Glance checks a location three times, each time with a new boto3 session, which parses
botocore's service descriptions.  Many at once slow each other down and fill the memory.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

_AT_ONCE = 2  # one can work while one waits for S3
_PATIENCE = 60.0  # seconds


class Turns:
    """Lets some work at the same time."""

    def __init__(self) -> None:
        self._free = threading.Semaphore(_AT_ONCE)

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        """Wait for others, but not for one that hangs."""
        waited = self._free.acquire(timeout=_PATIENCE)
        try:
            yield
        finally:
            if waited:
                self._free.release()

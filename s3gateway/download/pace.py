# SPDX-License-Identifier: Apache-2.0
"""How fast one connection to a store is, and who waits for whom."""

from __future__ import annotations

import time
from collections.abc import Callable

from s3gateway.config.stores import MIB

#: After so many bytes and seconds it is known how fast one connection is; a burst or a
#: hiccup is shorter.
_SAMPLE = 4 * MIB
_SAMPLE_TIME = 0.15
#: A connection this fast, in bytes a second, is not what others would help.
_FAST = 250 * MIB


class Pace:
    """How fast bytes come, and who waits for whom."""

    def __init__(self) -> None:
        self.count = 0
        self._waited = 0.0
        self._idle = 0.0
        self._left = time.monotonic()

    def read(self, source: Callable[[], bytes]) -> bytes:
        """Read from a source and take the time."""
        asked = time.monotonic()
        data = source()
        now = time.monotonic()
        self._idle += asked - self._left
        self._waited += now - asked
        self._left = now
        self.count += len(data)
        return data

    @property
    def rate(self) -> float:
        """Bytes a second, all in all."""
        return self.count / (self._waited + self._idle or 1e-9)

    @property
    def is_held_up(self) -> bool:
        """Whether it is known by now that the client waits for a slow store."""
        known = self.count >= _SAMPLE and self._waited >= _SAMPLE_TIME
        slow = self.count < _FAST * self._waited
        return known and slow and self._waited > 2 * self._idle

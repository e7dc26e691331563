# SPDX-License-Identifier: Apache-2.0
"""Measures one connection: its speed, and whether the client or S3 is slower."""

from __future__ import annotations

import time
from collections.abc import Callable

from s3gateway.config.stores import MIB

#: After this many bytes and seconds the speed of a connection is known; bursts and
#: hiccups are shorter.
_SAMPLE = 4 * MIB
_SAMPLE_TIME = 0.15
#: A connection this fast needs no others, in bytes a second.
_FAST = 250 * MIB


class Pace:
    """Speed of a source, and how long its reader waited for it."""

    def __init__(self) -> None:
        self.count = 0
        self._waited = 0.0
        self._idle = 0.0
        self._left = time.monotonic()

    def read(self, source: Callable[[], bytes]) -> bytes:
        """Read from a source and measure the time."""
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
        """Bytes a second over the whole time."""
        return self.count / (self._waited + self._idle or 1e-9)

    @property
    def is_held_up(self) -> bool:
        """Whether measurements show that the client waits for a slow store."""
        known = self.count >= _SAMPLE and self._waited >= _SAMPLE_TIME
        slow = self.count < _FAST * self._waited
        return known and slow and self._waited > 2 * self._idle

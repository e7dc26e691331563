# SPDX-License-Identifier: Apache-2.0
"""A clock for tests."""

from __future__ import annotations


class Clock:
    """Takes the place of ``time``; it stands still unless sleeping moves it on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

# SPDX-License-Identifier: Apache-2.0
"""How far long work has come: redrawn on a terminal, a line a minute in a log."""

from __future__ import annotations

import datetime
import sys
import threading
import time
from collections.abc import Callable

from s3gateway.config.stores import MIB

_REDRAW = 0.2  # seconds
_LINE = 60.0  # seconds
_WIDTH = 30  # characters


class Teller:
    """Writes the same line again and again, seldom enough to be read.

    :param drawn: whether there is a terminal, on which the line is drawn over
    """

    def __init__(self, *, drawn: bool) -> None:
        self._drawn = drawn
        self._every = _REDRAW if drawn else _LINE
        # A log need not be told at once that something has begun.
        self._told = 0.0 if drawn else time.monotonic()

    def tell(self, line: Callable[[], str]) -> None:
        """Write the line if the last time was a while ago."""
        if time.monotonic() - self._told > self._every:
            self._told = time.monotonic()
            begin, end = ("\r", "\x1b[K") if self._drawn else ("", "\n")
            print(f"{begin}{line()}{end}", end="", file=sys.stderr, flush=True)

    def wipe(self) -> None:
        """Take the line off a terminal."""
        if self._drawn:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


class Bar:
    """Shows how far a piece of work has come, and how fast it goes.

    Several threads may move it.

    :param total: the size of the work, in ``unit``
    :param drawn: whether there is a terminal
    """

    def __init__(self, total: int, unit: str, *, drawn: bool) -> None:
        self._total = total
        self._unit = unit
        self._done = 0
        self._began = time.monotonic()
        self._teller = Teller(drawn=drawn)
        self._lock = threading.Lock()

    def moved(self, more: int) -> None:
        """Take note that more of the work is done."""
        with self._lock:
            self._done += more
            self._teller.tell(self.line)

    def line(self) -> str:
        """Return what is shown: ``[#####.....]  50%, 812.4 MiB/s, 0:01:12 left``."""
        done = min(self._done / self._total, 1) if self._total else 1
        bar = "#" * round(_WIDTH * done)
        rate = self._done / max(time.monotonic() - self._began, 1e-6)
        left = max(self._total - self._done, 0) / rate if rate else 0
        by_bytes = self._unit == "bytes"
        speed = f"{rate / MIB:.1f} MiB/s" if by_bytes else f"{rate:.0f} {self._unit}/s"
        time_left = datetime.timedelta(seconds=round(left))
        return f"[{bar:.<{_WIDTH}}] {done:4.0%}, {speed}, {time_left} left"

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *exception: object) -> None:
        self._teller.wipe()

# SPDX-License-Identifier: Apache-2.0
"""What the commands print: tables and progress for people, JSON for programs."""

from __future__ import annotations

import datetime
import json
import sys
import time
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import TypeVar

from s3gateway.config.stores import MIB

T = TypeVar("T")

_REDRAW = 0.2  # seconds
_WIDTH = 30  # characters


class Bar:
    """Shows on a terminal how far a piece of work has come, and how fast it goes.

    :param total: the size of the work, in ``unit``
    """

    def __init__(self, total: int, unit: str, *, drawn: bool) -> None:
        self._total = total
        self._unit = unit
        self._drawn = drawn
        self._done = 0
        self._began = time.monotonic()
        self._shown = 0.0

    def moved(self, more: int) -> None:
        """Take note that more of the work is done."""
        self._done += more
        if self._drawn and time.monotonic() - self._shown > _REDRAW:
            self._shown = time.monotonic()
            print(f"\r{self.line()}\x1b[K", end="", file=sys.stderr, flush=True)

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
        if self._drawn:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


class Output:
    """Writes results to standard output, everything else to standard error.

    :param as_json: whether results are one JSON document
    """

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._printed = False

    def result(
        self, rows: Sequence[Mapping[str, Any]], columns: Sequence[str], summary: str
    ) -> None:
        """Print rows as a table and what they add up to, or all of it as JSON."""
        self._printed = True
        if self._as_json:
            print(json.dumps({"rows": list(rows), "summary": summary}, indent=2))
            return
        for line in _table(rows, columns):
            print(line)
        print(summary)

    def note(self, text: str) -> None:
        """Say something that is not a result."""
        print(text, file=sys.stderr, flush=True)

    def failure(self, text: str) -> None:
        """Say why there is no result, for programs in the place of one.

        After a result it is why it is not complete; standard output has one document.
        """
        if self._as_json and not self._printed:
            print(json.dumps({"error": text}, indent=2))
        print(f"s3gateway-manage: {text}", file=sys.stderr)

    def bar(self, total: int, unit: str) -> Bar:
        """Return a progress bar for work of known size; as a context it is ended.

        :param unit: ``bytes``, or what else is counted
        """
        return Bar(total, unit, drawn=sys.stderr.isatty())

    def progress(self, items: Iterable[T], what: str) -> Iterator[T]:
        """Yield the items, counting them on a terminal."""
        shown = 0.0
        terminal = sys.stderr.isatty()
        count = 0
        for count, item in enumerate(items, 1):
            yield item
            if terminal and time.monotonic() - shown > _REDRAW:
                shown = time.monotonic()
                print(f"\r{count} {what}", end="", file=sys.stderr, flush=True)
        if terminal and count:
            print(f"\r{count} {what}", file=sys.stderr)


def _table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> Iterator[str]:
    if not rows:
        return
    cells = [list(columns)] + [[str(row[name]) for name in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        yield "  ".join(
            cell.ljust(width) for cell, width in zip(line, widths, strict=True)
        ).rstrip()

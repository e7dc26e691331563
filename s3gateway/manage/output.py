# SPDX-License-Identifier: Apache-2.0
"""What the commands print: tables and progress for people, JSON for programs."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import TypeVar

T = TypeVar("T")

_REDRAW = 0.2  # seconds


class Output:
    """Writes results to standard output, everything else to standard error.

    :param as_json: whether results are one JSON document
    """

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json

    def result(
        self, rows: Sequence[Mapping[str, Any]], columns: Sequence[str], summary: str
    ) -> None:
        """Print rows as a table and what they add up to, or all of it as JSON."""
        if self._as_json:
            print(json.dumps({"rows": list(rows), "summary": summary}, indent=2))
            return
        for line in _table(rows, columns):
            print(line)
        print(summary)

    def note(self, text: str) -> None:
        """Say something that is not a result."""
        print(text, file=sys.stderr, flush=True)

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

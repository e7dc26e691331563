# SPDX-License-Identifier: Apache-2.0
"""What the commands print: a table, CSV or one JSON document, and progress beside it.

The document is described in ``docs/source/cli/result.schema.json``.
"""

from __future__ import annotations

import collections
import contextlib
import csv
import datetime
import json
import sys
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import TypeVar

from s3gateway.manage.progress import Bar
from s3gateway.manage.progress import Teller

T = TypeVar("T")
Row = Mapping[str, Any]

#: The version of the JSON document; a key that goes or means something else moves it.
SCHEMA = 1

#: Columns of a table are no wider; a longer cell pushes the rest of its own row only.
_WIDEST = 48

TABLE, JSON, CSV = FORMS = ("table", "json", "csv")


class Output:
    """Writes results to standard output, everything else to standard error.

    :ivar command: which one runs, as the results name it
    :ivar interrupted: whether work was ended before it was done
    :ivar resume_after: the image behind which work that is not done goes on
    :param form: of the results, one of ``FORMS``
    """

    def __init__(self, form: str = TABLE) -> None:
        self.command = ""
        self.interrupted = False
        self.resume_after = ""
        self._form = form
        self._began = datetime.datetime.now(datetime.timezone.utc)
        self._result: dict[str, Any] = {"counts": {}, "rows": []}
        self._error = ""

    @property
    def for_people(self) -> bool:
        """Whether results are read by people."""
        return self._form == TABLE

    def result(
        self,
        rows: Sequence[Row],
        columns: Sequence[str],
        summary: str,
        counts: Mapping[str, int] | None = None,
    ) -> None:
        """Print rows and what they add up to; JSON once the command is over.

        :param columns: the keys of the rows that a table has
        :param counts: what is counted; the rows by their ``state`` if not given
        """
        if counts is None:
            counts = collections.Counter(row["state"] for row in rows if "state" in row)
        self._result = {
            "counts": dict(counts),
            "rows": list(rows),
            "summary": summary,
        }
        if self._form == TABLE:
            for line in _table(rows, columns):
                print(line)
            print(summary)
        elif self._form == CSV:
            _csv(rows, columns)
            self.note(summary)

    def finish(self) -> None:
        """Print the JSON document: after this nothing is added to it."""
        if self._form == JSON:
            print(json.dumps(self._document(), indent=2))

    def _document(self) -> dict[str, Any]:
        document = {
            "schema": SCHEMA,
            "command": self.command,
            "started_at": iso(self._began),
            "finished_at": iso(datetime.datetime.now(datetime.timezone.utc)),
            **self._result,
        }
        if self.interrupted:
            document["interrupted"] = True
        if self.resume_after:
            document["resume_after"] = self.resume_after
        if self._error:
            document["error"] = self._error
        return document

    def note(self, text: str) -> None:
        """Say something that is not a result."""
        print(text, file=sys.stderr, flush=True)

    def failure(self, text: str) -> None:
        """Say why there is no result, or why it is not complete."""
        self._error = text
        print(f"s3gateway-manage: {text}", file=sys.stderr)

    def bar(self, total: int, unit: str) -> Bar:
        """Return a progress bar for work of known size; as a context it is ended.

        :param unit: ``bytes``, or what else is counted
        """
        return Bar(total, unit, drawn=sys.stderr.isatty())

    def progress(self, items: Iterable[T], what: str) -> Iterator[T]:
        """Yield the items, and count them where it takes long."""
        teller = Teller(drawn=sys.stderr.isatty())
        for count, item in enumerate(items, 1):
            yield item
            teller.tell(lambda count=count: f"{count} {what}")  # type: ignore[misc]
        teller.wipe()

    def finished(self, line: str) -> None:
        """Tell a log of a piece of long work that is done; a terminal has the bar."""
        if not sys.stderr.isatty():
            self.note(f"{iso(datetime.datetime.now(datetime.timezone.utc))} {line}")

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """Do work that Ctrl-C ends, after which its results so far are printed."""
        try:
            yield
        except KeyboardInterrupt:
            self.interrupted = True
            self.note("interrupted; run it again to go on")


def iso(time: datetime.datetime) -> str:
    """Return a time as ISO 8601 has it, in UTC."""
    utc = time.astimezone(datetime.timezone.utc)
    return utc.isoformat(timespec="seconds").replace("+00:00", "Z")


def sized(count: int) -> str:
    """Return a number of bytes for people."""
    value, unit = float(count), "bytes"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{count} bytes" if unit == "bytes" else f"{value:.1f} {unit}"


def _table(rows: Sequence[Row], columns: Sequence[str]) -> Iterator[str]:
    if not rows:
        return
    head = [name.replace("_", " ") for name in columns]
    cells = [head] + [[_cell(row[name]) for name in columns] for row in rows]
    columns_cells = zip(*cells, strict=True)
    widths = [min(max(map(len, column)), _WIDEST) for column in columns_cells]
    for line in cells:
        yield "  ".join(
            cell.ljust(width) for cell, width in zip(line, widths, strict=True)
        ).rstrip()


def _cell(value: object) -> str:
    return "(none)" if value is None else str(value)


def _csv(rows: Sequence[Row], columns: Sequence[str]) -> None:
    """Print rows with all their keys, those of the table first."""
    keys = dict.fromkeys([*columns, *(key for row in rows for key in row)])
    written = csv.DictWriter(sys.stdout, list(keys), lineterminator="\n")
    written.writeheader()
    for row in rows:
        written.writerow({key: _plain(value) for key, value in row.items()})


def _plain(value: object) -> object:
    return json.dumps(value) if isinstance(value, (dict, list)) else value

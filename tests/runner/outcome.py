# SPDX-License-Identifier: Apache-2.0
"""The outcome of a part, from its last lines, and the table of all parts."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable

from tests.support import leftovers

CANNOT = 125
"""The exit code of a part that this machine cannot run; its last line says why."""

_COUNTS = re.compile(r"(\d+) (passed|failed|errors?|skipped|xfailed)\b")
_LAST = re.compile(
    r"^=* ?(?=\d+ (passed|failed|error|skipped|deselected)).* in [\d.]+s"
)
_SKIPPED = re.compile(r"^SKIPPED \[(\d+)\] \S+?(?::\d+)?: (.*)")
_NO_PYTHON = re.compile(r"^(\w+): skipped because (.*)")
_OTHER_TIER = re.compile(r"^(\d+) tests of the full tier were left out")
_DEMO = re.compile(r"^(\d+) checks, (\d+) failed$")
_NOT_IN_DEMO = re.compile(r"^left out: (.*)")
# With which a part begins its lines that runs this program again, on a bare Debian.
_NESTED = re.compile(r"^ *[a-z-]+ \| ")


@dataclasses.dataclass
class Outcome:
    """How a part has ended.

    :ivar code: its exit code; ``None`` if it has not begun
    :ivar broken_off: whether it took too long, or the whole run was broken off
    :ivar failures: its lines about failures and about what it has left
    :ivar left_out: how many tests, by the reason
    """

    name: str
    code: int | None = None
    seconds: float = 0.0
    broken_off: bool = False
    counts: Counter[str] = dataclasses.field(default_factory=Counter)
    failures: list[str] = dataclasses.field(default_factory=list)
    left_out: Counter[str] = dataclasses.field(default_factory=Counter)
    last_line: str = ""

    def read(self, line: str) -> None:
        """Take from a line of the output what it says of the end."""
        line = _NESTED.sub("", line.rstrip())
        if line.startswith(("FAILED ", "ERROR ", leftovers.MARK)):
            self.failures.append(line)
        elif left_out := _left_out_by(line):
            self.left_out.update(left_out)
        elif found := _DEMO.match(line):
            self.counts["passed"] += int(found[1]) - int(found[2])
            self.counts["failed"] += int(found[2])
        elif _LAST.match(line):
            for number, what in _COUNTS.findall(line):
                self.counts[what.removesuffix("s")] += int(number)
        self.last_line = line or self.last_line

    @property
    def is_bad(self) -> bool:
        return self.code not in (0, CANNOT) or self.broken_off

    @property
    def result(self) -> str:
        """Say it in a word or two."""
        if self.broken_off:
            return "broken off"
        if self.code is None:
            return "not begun"
        return {0: "passed", CANNOT: "not run"}.get(self.code, f"failed ({self.code})")


def _left_out_by(line: str) -> dict[str, int]:
    """Return the reason that a line tells, and for how many tests it is."""
    if found := _SKIPPED.match(line):
        return {found[2]: int(found[1])}
    if found := _NO_PYTHON.match(line):
        return {f"{found[1]}: {found[2]}": 1}
    if found := _OTHER_TIER.match(line):
        return {"they are of the full tier": int(found[1])}
    if found := _NOT_IN_DEMO.match(line):
        return {found[1]: 1}
    return {}


def table(outcomes: Iterable[Outcome]) -> list[str]:
    """Return the lines of a table, and of what was left out and what failed."""
    outcomes = list(outcomes)
    width = max(len(each.name) for each in outcomes)
    head = f"{'part':<{width}}  result        passed  failed  left out     time"
    lines = [head, "-" * len(head)]
    for each in outcomes:
        failed = each.counts["failed"] + each.counts["error"]
        minutes, seconds = divmod(round(each.seconds), 60)
        lines.append(
            f"{each.name:<{width}}  {each.result:<12}  {each.counts['passed']:6}"
            f"  {failed:6}  {each.left_out.total():8}  {minutes:3}:{seconds:02} min"
        )
    lines.append("-" * len(head))
    lines += _left_out(outcomes)
    for each in outcomes:
        lines += [f"{each.name}: {failure}" for failure in each.failures]
    return lines


def _left_out(outcomes: Iterable[Outcome]) -> Iterable[str]:
    for each in outcomes:
        if each.code == CANNOT:
            yield f"{each.name} was not run: {each.last_line}"
        for reason, count in each.left_out.items():
            yield f"{each.name}: {count} left out: {reason}"

# SPDX-License-Identifier: Apache-2.0
"""The tables of a soak, and whether what a process holds has grown."""

from __future__ import annotations

import dataclasses
import statistics
from collections import Counter
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence

from tests.soak.diary import OK
from tests.soak.diary import Diary
from tests.support.clients.load import Census

MIB = 1024**2

#: How much more a worker may hold at the end than after the first third.
MOST = {"rss": 32 * MIB, "sockets": 40, "files": 40, "threads": 16}
_HOUR = 3600.0


@dataclasses.dataclass(frozen=True)
class Look:
    """What a worker held when it was idle.

    :ivar at: seconds since the beginning
    """

    at: float
    census: Census


def growth(looks: Sequence[Look], what: str) -> float:
    """Return how much more there is at the end than after the first third.

    It is the slope of a line through all values but those of the first third, times
    the time of these.
    """
    late = looks[len(looks) // 3 :]
    times = [look.at for look in late]
    values = [float(getattr(look.census, what)) for look in late]
    if len(late) < 2:
        return 0.0
    slope = statistics.linear_regression(times, values).slope
    return slope * (times[-1] - times[0])


def grown(looks: dict[str, list[Look]]) -> list[str]:
    """Return what has grown more than it may."""
    found = []
    for name, seen in looks.items():
        if len({look.census.pid for look in seen}) > 1:
            found.append(f"{name}: another process")
        for what, most in MOST.items():
            if (more := growth(seen, what)) > most:
                found.append(f"{name}: {more:.0f} more {what}")
    return found


def tables(
    diary: Diary, happened: Counter[str], looks: dict[str, list[Look]]
) -> Iterator[str]:
    """Yield the lines of the summary."""
    head = ("what clients did", "times", "MiB", "median s", "99 % s")
    yield from _table(head, _deeds(diary))
    yield from _table(
        ("what went wrong on purpose", "times"),
        [(name, str(count)) for name, count in sorted(happened.items())],
    )
    yield from _table(
        ("what clients saw", "outcome", "times", "why that is allowed"),
        [(what, outcome, str(n), why) for what, outcome, n, why in diary.reasons()],
    )
    yield from _table(
        ("idle worker", "first", "last", "grown, after a third", "an hour"),
        _held(looks),
    )


def _deeds(diary: Diary) -> Iterator[tuple[str, ...]]:
    for what in sorted({deed.what for deed in diary.deeds}):
        good = [d for d in diary.deeds if (d.what, d.outcome) == (what, OK)]
        times = sorted(deed.ended - deed.began for deed in good) or [0.0]
        moved = sum(deed.moved for deed in good) / MIB
        late = times[min(len(times) - 1, int(0.99 * len(times)))]
        yield (
            what,
            str(len(good)),
            f"{moved:.0f}",
            f"{statistics.median(times):.2f}",
            f"{late:.2f}",
        )


def _held(looks: dict[str, list[Look]]) -> Iterator[tuple[str, ...]]:
    for name, seen in looks.items():
        span = seen[-1].at - seen[len(seen) // 3].at
        for what in MOST:
            unit, digits = (MIB, 1) if what == "rss" else (1, 0)
            first, last = (getattr(seen[i].census, what) / unit for i in (0, -1))
            more = growth(seen, what) / unit
            hourly = more / span * _HOUR if span else 0.0
            yield (
                f"{name}: {'MiB' if what == 'rss' else what}",
                f"{first:.{digits}f}",
                f"{last:.{digits}f}",
                f"{more:+.1f}",
                f"{hourly:+.1f}",
            )


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    lines = [head, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    yield ""
    for number, line in enumerate(lines):
        yield "  ".join(map(str.ljust, line, widths)).rstrip()
        if not number:
            yield "-" * (sum(widths) + 2 * len(widths) - 2)
    if len(lines) == 1:
        yield "(none)"

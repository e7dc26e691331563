# SPDX-License-Identifier: Apache-2.0
"""Counts what happened in the random runs, for the summary of the tests."""

from __future__ import annotations

import dataclasses
from collections import Counter

import pytest


@dataclasses.dataclass
class Tally:
    """What has happened in all runs."""

    seed: int
    outcomes: Counter[tuple[str, str, str]] = dataclasses.field(default_factory=Counter)
    lines: list[str] = dataclasses.field(default_factory=list)
    unfired: int = 0

    def report(self) -> list[str]:
        """Return the lines to be shown."""
        counted = sorted(self.outcomes.items())
        table = [f"{a:10}{b:18}{c:34}{count:4}" for (a, b, c), count in counted]
        return [
            *self.lines,
            "",
            f"{'operation':10}{'fault':18}{'outcome':34}runs",
            *table,
            (
                f"{self.outcomes.total()} runs from seed {self.seed} on in which the "
                "fault happened, all as they should be; "
                f"{self.unfired} in which it found no request"
            ),
        ]


TALLY = pytest.StashKey[Tally]()

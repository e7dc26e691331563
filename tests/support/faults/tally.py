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
    started: int = 0
    unfired: int = 0

    def report(self) -> list[str]:
        """Return the lines to be shown."""
        fired = self.outcomes.total()
        counted = sorted(self.outcomes.items())
        table = [f"{a:10}{b:18}{c:34}{count:4}" for (a, b, c), count in counted]
        return [
            *self.lines,
            "",
            f"{'operation':10}{'fault':18}{'outcome':34}runs",
            *table,
            (
                f"{self.started} runs from seed {self.seed} on: in {fired} the fault "
                f"happened and all was as it should be, in {self.unfired} it found no "
                f"request, {self.started - fired - self.unfired} FAILED"
            ),
        ]


TALLY = pytest.StashKey[Tally]()

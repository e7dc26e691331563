# SPDX-License-Identifier: Apache-2.0
"""Counts what the parity table found and prints it at the end of the run."""

from __future__ import annotations

import dataclasses
from collections import Counter

import pytest

from tests.parity.allowed import ALLOWED
from tests.parity.table import DEFAULT_TIER
from tests.parity.table import TABLE


@dataclasses.dataclass
class Tally:
    """The outcome of all rows that were run."""

    seen: set[tuple[str, str]] = dataclasses.field(default_factory=set)
    rows: Counter[str] = dataclasses.field(default_factory=Counter)
    equal: Counter[str] = dataclasses.field(default_factory=Counter)
    allowed: Counter[str] = dataclasses.field(default_factory=Counter)

    def unused(self) -> list[str]:
        """Return the allowed differences that no row has any more.

        Only a run of the whole default tier can tell; of those that uploads have that
        are registered through the API, only one of all rows.
        """
        if DEFAULT_TIER - self.seen:
            return []
        all_rows = self.seen >= {(str(shape), row.name) for shape, row in TABLE}
        return [
            entry.name
            for entry in ALLOWED
            if not entry.by_chance and not self.allowed[entry.name]
            if all_rows or not entry.by_api
        ]


TALLY = pytest.StashKey[Tally]()


@pytest.fixture(scope="session")
def tally(pytestconfig: pytest.Config) -> Tally:
    """Where rows are counted."""
    return pytestconfig.stash[TALLY]


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TALLY] = Tally()


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.stash[TALLY].unused():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    tally = config.stash[TALLY]
    if not tally.rows:
        return
    terminalreporter.section("parity with stock Glance")
    for shape, count in sorted(tally.rows.items()):
        equal = f"{tally.equal[shape]} of them without any difference"
        terminalreporter.line(f"{shape}: {count} rows, {equal}")
    terminalreporter.line(
        f"{len(tally.allowed)} allowed differences were seen "
        f"{sum(tally.allowed.values())} times:"
    )
    for name, count in sorted(tally.allowed.items()):
        terminalreporter.line(f"  {count:5d} {name}")
    for name in tally.unused():
        terminalreporter.line(f"FAILED: no row needs the allowance: {name}")

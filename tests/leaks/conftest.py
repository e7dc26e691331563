# SPDX-License-Identifier: Apache-2.0
"""The table of surfaces and releases, printed at the end of the run."""

from __future__ import annotations

import pytest

Table = dict[tuple[str, int], tuple[str, str]]

TABLE = pytest.StashKey[Table]()


@pytest.fixture(scope="session")
def leaks(pytestconfig: pytest.Config) -> Table:
    """What leaked without and with the filter, by surface and release."""
    return pytestconfig.stash[TABLE]


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TABLE] = {}


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    table = config.stash[TABLE]
    if not table:
        return
    releases = sorted({release for _, release in table})
    surfaces = list(dict.fromkeys(surface for surface, _ in table))
    width = max(map(len, surfaces))
    heads = " | ".join(f"{f'Glance {release}':<22}" for release in releases)
    terminalreporter.section("what stock shows of S3 -> what the gateway shows")
    terminalreporter.line(f"{'':<{width}} | {heads}")
    for surface in sorted(surfaces):
        cells = [
            " -> ".join(table.get((surface, release), ("", ""))) for release in releases
        ]
        line = " | ".join(f"{cell:<22}" for cell in cells)
        terminalreporter.line(f"{surface:<{width}} | {line}")

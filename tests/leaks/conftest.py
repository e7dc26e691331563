# SPDX-License-Identifier: Apache-2.0
"""Prints the surfaces by release, and the attacks, at the end of the run."""

from __future__ import annotations

import pytest

Table = dict[tuple[str, int], tuple[str, str]]
Lines = list[str]

TABLE = pytest.StashKey[Table]()
LINES = pytest.StashKey[Lines]()


@pytest.fixture(scope="session")
def leaks(pytestconfig: pytest.Config) -> Table:
    """What leaked without and with the filter, by surface and release."""
    return pytestconfig.stash[TABLE]


@pytest.fixture(scope="session")
def lines(pytestconfig: pytest.Config) -> Lines:
    """What the attacks on the guard came to, a line each."""
    return pytestconfig.stash[LINES]


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TABLE] = {}
    config.stash[LINES] = []


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if config.stash[LINES]:
        terminalreporter.section("requests that try to write a location")
        for line in config.stash[LINES]:
            terminalreporter.line(line)
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

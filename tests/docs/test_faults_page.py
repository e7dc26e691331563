# SPDX-License-Identifier: Apache-2.0
"""The tables of the page on faults are what the tests measure."""

from __future__ import annotations

import csv
import pathlib

from tests.contract.test_capabilities import TABLE
from tests.faults import test_matrix as matrix

TABLES = pathlib.Path(__file__).resolve().parents[2] / "docs" / "source" / "tables"


def shown(name: str) -> list[list[str]]:
    """Return the rows of a table."""
    with (TABLES / name).open(newline="") as file:
        return list(csv.reader(file))


def often(times: int | None) -> str:
    if times is None:
        return "always"
    return "once" if times == 1 else f"{times} times"


def test_the_fault_matrix() -> None:
    cells = {
        "upload": matrix.UPLOADS,
        "download": matrix.DOWNLOADS,
        "delete": matrix.DELETES,
    }
    assert shown("faults.csv") == [
        [operation, name, often(cell.times), cell.status, *cell.shows]
        for operation, rows in cells.items()
        for name, cell in rows.items()
    ]


def test_the_servers() -> None:
    features = list(TABLE["minio"])
    names = ["rgw", "minio", "versity", "swift", "moto"]
    assert shown("servers.csv") == [
        [feature, *(TABLE[name][feature] for name in names)] for feature in features
    ]

# SPDX-License-Identifier: Apache-2.0
"""The README's table of figures is what was measured, with as many runs as it says."""

from __future__ import annotations

import csv
import pathlib

import pytest
from docutils import nodes

from tests.support import readme

MEASURED = pathlib.Path(__file__).resolve().parents[2] / "docs" / "source" / "measured"

#: The README's row, where it was measured, the case, and the side.
ROWS = [
    ("upload of 4 KiB", "small", "upload-4-KiB", "gateway"),
    ("upload of 64 KiB", "small", "upload-64-KiB", "gateway"),
    ("upload of 1 MiB", "small", "upload-1-MiB", "gateway"),
    ("upload of 1 GiB, with its length", "medians", "upload", "gateway"),
    (
        "upload of 1 GiB in chunks (glanceclient)",
        "medians",
        "upload-chunked",
        "gateway",
    ),
    ("4 uploads of 1 GiB at once", "medians", "upload-4", "gateway"),
    ("16 uploads of 64 MiB at once", "medians", "upload-16", "gateway"),
    ("64 uploads of 16 MiB at once", "medians", "upload-64", "gateway"),
    ("download of 4 KiB", "small", "download-4-KiB", "gateway"),
    ("download of 64 KiB", "small", "download-64-KiB", "gateway"),
    ("download of 1 MiB", "small", "download-1-MiB", "gateway"),
    ("download of 1 GiB", "medians", "download", "gateway"),
    ("4 downloads of 1 GiB at once", "medians", "download-4", "gateway"),
    ("download of 1 GiB, S3 20 ms away", "medians", "far-download", "gateway"),
    ("64 downloads of one image at once", "storm-medians", "storm-1", "gateway"),
    (
        "64 downloads of one image at once, S3 20 ms away",
        "storm-medians",
        "far-storm-1",
        "gateway",
    ),
    ("stand-alone: upload of 4 KiB", "small", "upload-4-KiB", "by API"),
    ("stand-alone: upload of 1 GiB", "medians", "upload", "by API"),
]


def read(name: str) -> list[dict[str, str]]:
    with (MEASURED / f"{name}.csv").open(newline="") as file:
        names, *rows = csv.reader(file)
    # two columns of small.csv are called "ratio"
    unique = [f"{name} {names[:i].count(name)}" for i, name in enumerate(names)]
    return [dict(zip(unique, row, strict=True)) for row in rows]


def found(name: str, case: str, side: str) -> dict[str, str]:
    rows = [r for r in read(name) if (r["case 0"], r["side 0"]) == (case, side)]
    return rows[0]


def measured(name: str, case: str, side: str) -> tuple[float, float, int]:
    """Return speed and CPU, divided by stock's, and the number of runs."""
    ours = found(name, case, side)
    if name == "small":
        runs = {row["pair 0"] for row in read("small-runs")}
        return float(ours["ratio 0"]), float(ours["ratio 1"]), len(runs)
    stock = found(name, case, "stock")
    speed = float(ours["MiB/s 0"]) / float(stock["MiB/s 0"])
    cpu = float(ours["CPU s/GiB 0"]) / float(stock["CPU s/GiB 0"])
    return speed, cpu, int(ours["runs 0"])


def shown() -> dict[str, list[str]]:
    """Return the rows of the README's table by their first cell."""
    table = readme.section("What it gains and costs")
    rows = [
        [cell.astext() for cell in row.children] for row in table.findall(nodes.row)
    ]
    return {first: rest for first, *rest in rows[1:]}


def test_the_table_has_these_rows() -> None:
    assert list(shown()) == [row[0] for row in ROWS]


@pytest.mark.parametrize(("title", "name", "case", "side"), ROWS, ids=str)
def test_a_figure_is_what_was_measured(
    title: str, name: str, case: str, side: str
) -> None:
    said = shown()[title]
    speed, cpu, runs = measured(name, case, side)
    for text, value in zip(said, (speed, cpu), strict=False):
        step = 10.0 ** -len(text.partition(".")[2])
        assert abs(float(text) - value) <= step, title
    assert int(said[2]) == runs

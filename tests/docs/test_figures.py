# SPDX-License-Identifier: Apache-2.0
"""The README's figures are those of the benchmark's tables."""

from __future__ import annotations

import csv
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
MEASURED = ROOT / "docs" / "source" / "measured"

# The README's words, the case, and its side.
FIGURES = {
    "upload of 4 KiB": ("upload-4-KiB", "gateway"),
    "upload of 64 KiB": ("upload-64-KiB", "gateway"),
    "upload of 1 MiB": ("upload-1-MiB", "gateway"),
    "upload of 1 GiB, with its length": ("upload", "gateway"),
    "upload of 1 GiB in chunks (glanceclient)": ("upload-chunked", "gateway"),
    "4 uploads of 1 GiB at once": ("upload-4", "gateway"),
    "16 uploads of 64 MiB at once": ("upload-16", "gateway"),
    "64 uploads of 16 MiB at once": ("upload-64", "gateway"),
    "download of 4 KiB": ("download-4-KiB", "gateway"),
    "download of 64 KiB": ("download-64-KiB", "gateway"),
    "download of 1 MiB": ("download-1-MiB", "gateway"),
    "download of 1 GiB": ("download", "gateway"),
    "4 downloads of 1 GiB at once": ("download-4", "gateway"),
    "download of 1 GiB, S3 20 ms away": ("far-download", "gateway"),
    "64 downloads of one image at once": ("storm-1", "gateway"),
    "**stand-alone:** upload of 4 KiB": ("upload-4-KiB", "by API"),
    "**stand-alone:** upload of 1 GiB": ("upload", "by API"),
}


def rows(name: str) -> list[dict[str, str]]:
    with (MEASURED / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def ratios(case: str, side: str) -> tuple[float, float]:
    """Return a side's speed and CPU, divided by stock's."""
    for row in rows("small"):
        if (row["case"], row["side"]) == (case, side):
            cpu = float(row["side's"]) / float(row["stock, CPU s each"])
            return _speed(row), cpu
    found = {
        row["side"]: row
        for name in ("medians", "storm-medians")
        for row in rows(name)
        if row["case"] == case
    }
    speed, cpu = (
        float(found[side][column]) / float(found["stock"][column])
        for column in ("MiB/s", "CPU s/GiB")
    )
    return speed, cpu


def _speed(row: dict[str, str]) -> float:
    """Return the first ratio of a row; DictReader keeps the last one of a name."""
    [line] = [
        line
        for line in (MEASURED / "small.csv").read_text().splitlines()
        if line.startswith(f"{row['case']},{row['side']},")
    ]
    return float(line.split(",")[4])


def readme() -> dict[str, tuple[str, str]]:
    """Return speed and CPU of each row of the README's table."""
    text = (ROOT / "README.rst").read_text()
    found = re.findall(
        r"^   \* - (.+)\n     - ([\d.]+)\n     - ([\d.]+)\n     - \d+$", text, re.M
    )
    return {name: (speed, cpu) for name, speed, cpu in found}


def test_all_rows_are_known() -> None:
    assert list(readme()) == list(FIGURES)


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure(name: str) -> None:
    for said, found in zip(readme()[name], ratios(*FIGURES[name]), strict=True):
        digits = len(said.partition(".")[2])
        assert float(said) == pytest.approx(found, abs=0.6 * 10**-digits)

# SPDX-License-Identifier: Apache-2.0
"""Draws how stock Glance and the gateway grow with the number of clients.

    python docs/growth.py [DIRECTORY]

DIRECTORY is the ``--output`` of ``python -m benchmarks --only growth``; its
``growth.json`` and ``growth.csv`` are copied to ``docs/source/measured``, and pictures
``growth-upload.svg``, ``growth-download.svg`` and ``growth-mixed.svg`` are drawn there.
"""

from __future__ import annotations

import json
import pathlib
import shutil
import statistics
import sys
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[1]
if str(ROOT / "docs") not in sys.path:
    sys.path.insert(0, str(ROOT / "docs"))

import chart  # noqa: E402

MEASURED = ROOT / "docs" / "source" / "measured"
RUNS = MEASURED / "growth.json"
KINDS = ("upload", "download", "mixed")

_SIDES = {"stock": "#8c959f", "gateway": "#1f6fb4", "two gateways": "#3a9d5d"}
_CHARTS = {
    "speed": "MiB/s (more is better)",
    "cpu": "CPU seconds per GiB",
    "memory": "peak memory over idle, MiB",
    "first": "seconds to the first byte, median",
    "late": "seconds to the first byte, 99 %",
    "to_s3": "connections to S3, the most at once",
}
_COLUMNS, _WIDTH, _HEIGHT, _GAP = 3, 330.0, 230.0, 10.0  # pixels, but for the first


def draw(runs: list[dict[str, Any]], kind: str) -> str:
    """Return the picture of one kind of load, as SVG."""
    shapes: list[str] = []
    clients = sorted({run["clients"] for run in runs})
    marks = [(count, f"{count}") for count in clients]
    axis = chart.Axis(clients[0], clients[-1], marks, logarithmic=True)
    for number, (measure, title) in enumerate(_CHARTS.items()):
        row, column = divmod(number, _COLUMNS)
        left = _GAP + column * (_WIDTH + _GAP)
        box = chart.Box(left, _GAP + row * (_HEIGHT + _GAP), _WIDTH, _HEIGHT)
        lines = [
            chart.Line(side, _points(runs, kind, side, measure), colour)
            for side, colour in _SIDES.items()
        ]
        if kind == "upload":
            title = title.replace("to the first byte", "to the answer")  # noqa: PLW2901
        shapes += chart.chart(title, lines, box, axis, lambda value: f"{value:g}")
    rows = -(-len(_CHARTS) // _COLUMNS)
    width = _GAP + _COLUMNS * (_WIDTH + _GAP)
    height = _GAP + rows * (_HEIGHT + _GAP)
    return chart.picture(width, height, shapes, f"{kind}: by the number of clients")


def median(
    runs: list[dict[str, Any]], kind: str, clients: int, side: str, measure: str
) -> float:
    """Return the median of a measure."""
    return statistics.median(
        run[measure]
        for run in runs
        if (run["kind"], run["clients"], run["side"]) == (kind, clients, side)
    )


def _points(
    runs: list[dict[str, Any]], kind: str, side: str, measure: str
) -> list[tuple[float, float]]:
    clients = sorted({
        run["clients"] for run in runs if (run["kind"], run["side"]) == (kind, side)
    })  # fmt: skip
    return [(count, median(runs, kind, count, side, measure)) for count in clients]


if __name__ == "__main__":
    for name in ("growth.json", "growth.csv"):
        if sys.argv[1:]:
            shutil.copyfile(pathlib.Path(sys.argv[1]) / name, MEASURED / name)
    _found = json.loads(RUNS.read_text(encoding="utf-8"))
    for _kind in KINDS:
        _picture = MEASURED / f"growth-{_kind}.svg"
        _picture.write_text(draw(_found, _kind), encoding="utf-8")

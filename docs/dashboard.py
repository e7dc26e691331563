# SPDX-License-Identifier: Apache-2.0
"""Draws the panels of the Grafana dashboard with what they showed of a run.

    python docs/dashboard.py [RUN]

RUN is the ``dashboard.json`` of a soak (``tests/soak``); it is copied to
``docs/source/measured/dashboard.json``.  The picture is
``docs/source/images/dashboard.svg``.  It is not Grafana's: Grafana draws the same
panels, from the same queries, in its own way.
"""

from __future__ import annotations

import json
import pathlib
import shutil
import sys
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[1]
for _place in (ROOT, ROOT / "docs"):
    if str(_place) not in sys.path:
        sys.path.insert(0, str(_place))

import chart  # noqa: E402

from tests.support import dashboard  # noqa: E402

PICTURE = ROOT / "docs" / "source" / "images" / "dashboard.svg"
RUN = ROOT / "docs" / "source" / "measured" / "dashboard.json"

_COLUMN, _ROW, _GAP = 54.0, 21.0, 6.0  # pixels of Grafana's grid
_MARGIN = 10.0
_STEPS = ("", "k", "M", "G")


def draw(run: dict[str, Any]) -> str:
    """Return the picture of a run, as SVG."""
    shapes: list[str] = []
    bottom = 0.0
    for panel in dashboard.read()["panels"]:
        box = _box(panel["gridPos"])
        bottom = max(bottom, box.top + box.height)
        if panel["type"] == "row":
            top = box.top + 15
            words = panel["title"]
            shapes.append(chart.text(box.left, top, words, anchor="start", bold=True))
    for panel in dashboard.panels():
        lines = run["panels"][str(panel.number)]
        shapes += _panel(panel, lines, run["seconds"])
    width = 24 * _COLUMN + 2 * _MARGIN
    about = "the panels of the dashboard, with the values of a run"
    return chart.picture(width, bottom + _MARGIN, shapes, about)


def _box(place: dict[str, int]) -> chart.Box:
    return chart.Box(
        _MARGIN + place["x"] * _COLUMN,
        _MARGIN + place["y"] * _ROW,
        place["w"] * _COLUMN - _GAP,
        place["h"] * _ROW - _GAP,
    )


def _panel(
    panel: dashboard.Panel, lines: list[dict[str, Any]], seconds: float
) -> Iterator[str]:
    box, shown = _box(panel.place), _UNITS[panel.unit]
    if panel.kind == "stat":
        yield chart.frame(panel.title, box)
        yield from _values(lines, shown, box)
        return
    minutes = [mark for mark in chart.ticks(seconds / 60) if mark * 60 <= seconds]
    axis = chart.Axis(0, seconds, [(mark * 60, f"{mark:g} min") for mark in minutes])
    drawn = [
        chart.Line(line["name"], line["points"], _colour(number))
        for number, line in enumerate(lines)
    ]
    base = 1024 if panel.unit in ("bytes", "binBps") else 1000
    yield from chart.chart(panel.title, drawn, box, axis, shown, base)


def _values(
    lines: list[dict[str, Any]], shown: Callable[[float], str], box: chart.Box
) -> Iterator[str]:
    """Yield the last values of a panel, large if there is one."""
    there = [line for line in lines if line["points"]]
    words = [f"{line['name']} {shown(line['points'][-1][1])}" for line in there]
    if len(there) == 1:
        words = [shown(there[0]["points"][-1][1])]
    middle = box.left + box.width / 2
    for number, text in enumerate(words or ["no data"]):
        y = box.top + box.height / 2 + (14 if len(words) < 2 else 6 + 18 * number)
        size = 22 if len(words) < 2 else 14
        yield chart.text(middle, y, text, bold=True, size=size)


def _colour(number: int) -> str:
    return chart.COLOURS[number % len(chart.COLOURS)]


def _scaled(value: float, factor: float, unit: str, infix: str = "") -> str:
    step = 0
    while abs(value) >= factor and step < len(_STEPS) - 1:
        value, step = value / factor, step + 1
    prefix = _STEPS[step].upper() + infix if infix and step else _STEPS[step]
    return f"{value:.3g} {prefix}{unit}".rstrip()


_UNITS: dict[str, Callable[[float], str]] = {
    "short": lambda value: _scaled(value, 1000, ""),
    "reqps": lambda value: f"{_scaled(value, 1000, '')}/s",
    "ops": lambda value: f"{_scaled(value, 1000, '')}/s",
    "s": lambda value: f"{value:.3g} s",
    "percentunit": lambda value: f"{100 * value:.3g} %",
    "bytes": lambda value: _scaled(value, 1024, "B", "i"),
    "binBps": lambda value: f"{_scaled(value, 1024, 'B', 'i')}/s",
}


if __name__ == "__main__":
    if sys.argv[1:]:
        shutil.copyfile(sys.argv[1], RUN)
    PICTURE.write_text(
        draw(json.loads(RUN.read_text(encoding="utf-8"))), encoding="utf-8"
    )

# SPDX-License-Identifier: Apache-2.0
"""Plots of the medians, with every run as a dot."""

from __future__ import annotations

import pathlib
from typing import Any

import matplotlib as mpl

from benchmarks.field import BY_API
from benchmarks.field import FACE
from benchmarks.field import GATEWAY
from benchmarks.field import HOT
from benchmarks.field import STOCK
from benchmarks.report import Results
from benchmarks.transfers import BOTO3

mpl.use("Agg")
from matplotlib import pyplot as plt

_COLOURS = {
    STOCK: "#9a9a9a",
    GATEWAY: "#1f6fb4",
    BY_API: "#7fb2de",
    HOT: "#a5527a",
    FACE: "#5a8f4e",
    BOTO3: "#d9a441",
}
_PLOTS = {
    "speed": "MiB/s (more is better)",
    "cpu": "CPU seconds of the workers per GiB (less is better)",
    "memory": "peak memory over idle, MiB (less is better)",
}
_HEIGHT = 0.8  # of the bars of a case


def draw(results: Results, directory: pathlib.Path) -> None:
    """Write a PNG for each measure, if it was measured."""
    for measure, title in _PLOTS.items() if results.samples else ():
        figure, axes = plt.subplots(figsize=(8, 7), layout="constrained")
        _bars(axes, results, measure)
        axes.set_title(title)
        figure.savefig(directory / f"{measure}.png", dpi=100)
        plt.close(figure)


def _bars(axes: Any, results: Results, measure: str) -> None:
    cases = list(dict.fromkeys(run.case for run in results.samples))
    for row, case in enumerate(cases):
        sides = dict.fromkeys(run.side for run in results.samples if run.case == case)
        shown = [side for side in sides if measure == "speed" or side != BOTO3]
        height = _HEIGHT / len(shown)
        for place, side in enumerate(sorted(shown, key=list(_COLOURS).index)):
            at = row - _HEIGHT / 2 + height * (place + 0.5)
            median = results.median(case, side, measure)
            axes.barh(at, median, height * 0.9, color=_COLOURS[side])
            runs = [
                getattr(run, measure)
                for run in results.samples
                if (run.case, run.side) == (case, side)
            ]
            axes.plot(runs, [at] * len(runs), "k.", markersize=3)
    axes.set_yticks(range(len(cases)), cases)
    axes.invert_yaxis()
    bars = [plt.Rectangle((0, 0), 1, 1, color=colour) for colour in _COLOURS.values()]
    axes.legend(bars, list(_COLOURS), loc="lower right")

# SPDX-License-Identifier: Apache-2.0
"""The panels of the shipped Grafana dashboard, and the queries in them."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import re
from collections.abc import Iterator
from typing import Any

from tests.support.servers.prometheus import Prometheus
from tests.support.servers.prometheus import Series

FILE = (
    pathlib.Path(__file__).resolve().parents[2] / "etc" / "grafana" / "s3gateway.json"
)

_POINTS = 90  # of a line
_DIGITS = 4  # of a value


@dataclasses.dataclass(frozen=True)
class Query:
    """A query of a panel, with Grafana's variables in it."""

    expr: str
    legend: str

    def filled(self, every: str, span: str) -> str:
        """Return what Grafana would ask for all jobs and instances.

        :param every: the interval for rates
        :param span: how much time is shown
        """
        values = {
            "$__rate_interval": every,
            "$__range": span,
            "$job": ".*",
            "$instance": ".*",
        }
        text = self.expr
        for name, value in values.items():
            text = text.replace(name, value)
        return text

    def named(self, labels: dict[str, str]) -> str:
        """Return the legend of a series."""
        return re.sub(
            r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), self.legend
        )


@dataclasses.dataclass(frozen=True)
class Panel:
    """A panel that shows something.

    :ivar row: the title of the row that it stands in
    :ivar kind: ``timeseries`` or ``stat``
    :ivar place: ``x``, ``y``, ``w`` and ``h``, in a grid of 24 columns
    """

    number: int
    row: str
    kind: str
    title: str
    description: str
    unit: str
    place: dict[str, int]
    queries: list[Query]


def read() -> dict[str, Any]:
    """Return the dashboard."""
    board: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return board


def panels() -> Iterator[Panel]:
    """Yield the panels of all rows, from top to bottom."""
    row = ""
    for panel in read()["panels"]:
        if panel["type"] == "row":
            row = panel["title"]
            continue
        yield Panel(
            panel["id"],
            row,
            panel["type"],
            panel["title"],
            panel["description"],
            panel["fieldConfig"]["defaults"]["unit"],
            panel["gridPos"],
            [Query(each["expr"], each["legendFormat"]) for each in panel["targets"]],
        )


def recorded(prometheus: Prometheus, start: float, end: float) -> dict[str, Any]:
    """Return what all panels show of a time, for ``docs/dashboard.py``."""
    span = f"{max(1, round(end - start))}s"
    step = max(1.0, (end - start) / _POINTS)
    every = f"{round(max(15.0, 4 * step))}s"
    return {
        "seconds": round(end - start),
        "panels": {
            str(panel.number): [
                _line(query, series, start)
                for query in panel.queries
                for series in prometheus.over(
                    query.filled(every, span), start, end, step
                )
            ]
            for panel in panels()
        },
    }


def _line(query: Query, series: Series, start: float) -> dict[str, Any]:
    points = [
        [round(when - start), float(f"{value:.{_DIGITS}g}")]
        for when, value in series.points
        if value == value  # not NaN, which JSON has not
    ]
    return {"name": query.named(series.labels), "points": points}

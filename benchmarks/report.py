# SPDX-License-Identifier: Apache-2.0
"""Medians and ratios of the measurements, beside their targets."""

from __future__ import annotations

import csv
import dataclasses
import pathlib
import statistics
from collections.abc import Iterator
from collections.abc import Sequence

from benchmarks.cases import TARGETS
from benchmarks.cases import Target
from benchmarks.field import BY_API
from benchmarks.field import GATEWAY
from benchmarks.field import STOCK
from benchmarks.growth import Growth
from benchmarks.small import Rate
from benchmarks.small import Requests
from benchmarks.transfers import Sample

#: What is shown of the growth, and with how many digits.
_OF_GROWTH = {
    "speed": 0,
    "cpu": 2,
    "memory": 0,
    "first": 3,
    "late": 3,
    "to_s3": 0,
    "of_clients": 0,
}
_MEASURES = ("seconds", "speed", "cpu", "memory", "first", "busy", "asked")


@dataclasses.dataclass
class Results:
    """What was measured so far.

    :ivar digests: CPU seconds per GiB, by algorithm
    """

    samples: list[Sample] = dataclasses.field(default_factory=list)
    rates: list[Rate] = dataclasses.field(default_factory=list)
    requests: list[Requests] = dataclasses.field(default_factory=list)
    digests: dict[str, float] = dataclasses.field(default_factory=dict)
    growth: list[Growth] = dataclasses.field(default_factory=list)

    @property
    def runs(self) -> list[Sample | Rate]:
        """Everything of which there are several runs."""
        return [*self.samples, *self.rates]

    def median(self, case: str, side: str, measure: str) -> float:
        """Return the median of a measure, not a number if there is no sample."""
        found = [
            float(getattr(run, measure))
            for run in self.runs
            if (run.case, run.side) == (case, side)
        ]
        return statistics.median(found) if found else float("nan")

    def reached(self, target: Target) -> float:
        """Return what is compared with a target: a ratio of medians, or a median."""
        ours = self.median(target.case, target.side, target.measure)
        if not target.against:
            return ours
        return ours / self.median(target.case, target.against, target.measure)


@dataclasses.dataclass(frozen=True)
class Table:
    """Something to print, and to write as Markdown or CSV."""

    name: str
    headings: list[str]
    rows: list[list[str]]

    def text(self) -> str:
        """Return it for a terminal."""
        table = [self.headings, *self.rows]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        return "\n".join(
            "  ".join(map(str.ljust, row, widths)).rstrip() for row in table
        )

    def markdown(self) -> str:
        """Return it with a heading."""
        rows = [self.headings, ["---"] * len(self.headings), *self.rows]
        return "\n".join([f"## {self.name}", "", *map(_piped, rows), ""])

    def write(self, directory: pathlib.Path) -> None:
        """Write it as CSV."""
        with (directory / f"{self.name}.csv").open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([self.headings, *self.rows])


def tables(results: Results) -> list[Table]:
    """Return what is to be shown, without what was not measured."""
    found = [
        _medians(results),
        _often(results),
        _asked(results),
        _growth(results),
        _digests(results),
        _targets(results),
    ]
    return [table for table in found if table.rows]


def raw(results: Results) -> list[Table]:
    """Return every run."""
    samples = [
        [run.case, run.side, str(run.pair), *_figures(run, _MEASURES)]
        for run in results.samples
    ]
    rates = [
        [run.case, run.side, str(run.pair), f"{run.rate:.2f}", f"{run.cpu:.4f}"]
        for run in results.rates
    ]
    return [
        Table("runs", ["case", "side", "pair", *_MEASURES], samples),
        Table("small-runs", ["case", "side", "pair", "times a second", "CPU s"], rates),
    ]


def _medians(results: Results) -> Table:
    headings = ["case", "side", "runs", "seconds", "MiB/s", "CPU s/GiB", "peak MiB"]
    rows = []
    for (case, side), runs in _grouped(results.samples):
        figures = [results.median(case, side, measure) for measure in _MEASURES]
        shown = [f"{figure:.{2 if figure < 100 else 0}f}" for figure in figures]
        rows.append([case, side, str(runs), *shown])
    headings += ["first byte s", "machine busy", "images' size from S3"]
    return Table("medians", headings, rows)


def _often(results: Results) -> Table:
    rows = []
    sides = {(run.case, run.side) for run in results.rates}
    for case in dict.fromkeys(run.case for run in results.rates):
        for side in (GATEWAY, BY_API):
            if (case, side) in sides:
                rates = _pair(results, case, side, "rate", 1)
                rows.append([case, side, *rates, *_pair(results, case, side, "cpu", 3)])
    headings = ["case", "side", "stock, a second", "side's", "ratio"]
    headings += ["stock, CPU s each", "side's", "ratio"]
    return Table("small", headings, rows)


def _pair(
    results: Results, case: str, side: str, measure: str, digits: int
) -> list[str]:
    """Return stock's median, a side's, and their ratio."""
    stock, ours = (results.median(case, each, measure) for each in (STOCK, side))
    return [f"{stock:.{digits}f}", f"{ours:.{digits}f}", f"{ours / stock:.2f}"]


def _asked(results: Results) -> Table:
    rows = [
        [
            found.operation,
            found.side,
            str(sum(found.counts.values())),
            ", ".join(
                f"{count} {name}" for name, count in sorted(found.counts.items())
            ),
        ]
        for found in results.requests
    ]
    return Table("requests", ["operation", "side", "requests to S3", "which"], rows)


def _growth(results: Results) -> Table:
    headings = ["load", "clients", "side", "runs", "MiB/s", "CPU s/GiB", "peak MiB"]
    headings += ["first byte s, median", "99 %", "to S3", "of clients", "errors"]
    groups: dict[tuple[str, int, str], list[Growth]] = {}
    for run in results.growth:
        groups.setdefault((run.kind, run.clients, run.side), []).append(run)
    rows = []
    for (kind, clients, side), runs in groups.items():
        row = [kind, str(clients), side, str(len(runs))]
        for measure, digits in _OF_GROWTH.items():
            figure = statistics.median(getattr(run, measure) for run in runs)
            row.append(f"{figure:.{digits}f}")
        rows.append([*row, str(sum(run.errors for run in runs))])
    return Table("growth", headings, rows)


def _digests(results: Results) -> Table:
    rows = [[name, f"{cost:.2f}"] for name, cost in results.digests.items()]
    return Table("digests", ["algorithm", "CPU s/GiB"], rows)


def _targets(results: Results) -> Table:
    headings = ["case", "measure", "side", "divided by", "to be", "is", "reached"]
    cases = {run.case for run in results.runs}
    rows = []
    for target in TARGETS:
        if target.case in cases:
            value = results.reached(target)
            yes = "yes" if target.is_met(value) else "no"
            against = target.against or "nothing"
            row = [target.case, target.measure, target.side, against, target.wanted]
            rows.append([*row, f"{value:.2f}", yes])
    return Table("targets", headings, rows)


def _grouped(samples: Sequence[Sample]) -> Iterator[tuple[tuple[str, str], int]]:
    keys = [(sample.case, sample.side) for sample in samples]
    for key in dict.fromkeys(keys):
        yield key, keys.count(key)


def _figures(run: Sample, measures: Sequence[str]) -> list[str]:
    return [f"{getattr(run, measure):.3f}" for measure in measures]


def _piped(row: Sequence[str]) -> str:
    return f"| {' | '.join(row)} |"

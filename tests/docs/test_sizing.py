# SPDX-License-Identifier: Apache-2.0
"""The arithmetic of the pages is right, and begins with the options' defaults."""

from __future__ import annotations

import ast
import csv
import json
import math
import operator
import pathlib
import re
from typing import Any

import pytest

from s3gateway.config.options import GATEWAY_OPTS

OPERATIONS = (
    pathlib.Path(__file__).resolve().parents[2] / "docs" / "source" / "operations"
)
MEASURED = OPERATIONS.parent / "measured"
SIZING = (OPERATIONS / "sizing.rst").read_text()
_SUM = re.compile(r"^    ([\d,. ()*/+-]+=[\d,. ()*/+=-]+)$", re.MULTILINE)
_NUMBER = re.compile(r"\s*[\d,.]+\s*$")
_DO = {ast.Add: operator.add, ast.Mult: operator.mul, ast.Div: operator.truediv}


def sums() -> list[str]:
    return [
        line
        for name in ("sizing.rst", "migration.rst")
        for line in _SUM.findall((OPERATIONS / name).read_text())
    ]


def value(text: str) -> float:
    """Return what a text with numbers, sums, products and quotients is."""
    return _value(ast.parse(text.replace(",", "").strip(), mode="eval").body)


def _value(node: ast.expr) -> float:
    if isinstance(node, ast.BinOp):
        do = _DO[type(node.op)]
        return float(do(_value(node.left), _value(node.right)))
    assert isinstance(node, ast.Constant)
    return float(node.value)  # type: ignore[arg-type]


def test_there_are_examples() -> None:
    assert len(sums()) == 9


@pytest.mark.parametrize("line", sums())
def test_an_example_is_right(line: str) -> None:
    """As exactly as it is written."""
    first, *others = line.split("=")
    for other in others:
        digits = len(other.strip().partition(".")[2]) if _NUMBER.match(other) else 0
        assert round(value(other), digits) == round(value(first), digits)


#: What a load costs: CPU seconds per GiB, the case where that was measured, and MiB of
#: memory for each transfer.
LOADS = {"downloads": (1.5, "download-16", 2), "uploads": (7.2, "upload-16", 10)}


def test_the_table_is_what_the_formulas_say() -> None:
    rows = re.findall(
        r"\* - (\w+), (\d+) Gbit/s\n +- ([\d.]+)\n"
        r" +- (\d+)\n +- (\d+)\n +- ([\d.]+) GiB",
        SIZING,
    )
    assert len(rows) == 8
    for what, speed, *shown in rows:
        cost, _, each = LOADS[what]
        cores = int(speed) * 0.1164 * cost / 0.7
        processes = math.ceil(cores)
        threads = math.ceil(int(speed) * 119.2 / 50 * 2 / processes)
        memory = processes * (200 + 512 + 512 + threads * each) / 1024
        assert shown == [f"{cores:.1f}", f"{processes}", f"{threads}", f"{memory:.1f}"]


@pytest.mark.parametrize("what", LOADS)
def test_the_costs_are_those_that_were_measured(what: str) -> None:
    cost, case, _ = LOADS[what]
    with (MEASURED / "medians.csv").open() as file:
        [row] = [
            row
            for row in csv.DictReader(file)
            if (row["case"], row["side"]) == (case, "gateway")
        ]
    assert float(row["CPU s/GiB"]) == pytest.approx(cost, abs=0.05)


def growth() -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = json.loads((MEASURED / "growth.json").read_text())
    return runs


def test_the_memory_of_many_clients_is_what_was_measured() -> None:
    most = {
        side: max(run["memory"] for run in growth() if run["side"] == side)
        for side in ("gateway", "stock")
    }
    words = " ".join(SIZING.split())
    assert f"at most {most['gateway']:,.0f} MiB over idle, stock Glance " in words
    assert f"stock Glance {most['stock']:,.0f} MiB (" in words


def test_the_cost_of_small_ones_at_once_is_what_was_measured() -> None:
    cost = {
        (run["kind"], run["side"]): run["cpu"] * 4 / 1024
        for run in growth()
        if run["clients"] == 256
    }
    upload, download = (
        [f"{cost[kind, side]:.2f}" for side in ("gateway", "stock")]
        for kind in ("upload", "download")
    )
    assert (
        f"an upload costs {upload[0]} CPU seconds and a download {download[0]} "
        f"(stock Glance: {upload[1]} and {download[1]})"
    ) in " ".join(SIZING.split())


def test_a_gbit_is_so_many_mebibytes() -> None:
    assert round(1e9 / 8 / 1024**3, 4) == 0.1164
    assert round(1e9 / 8 / 1024**2, 1) == 119.2


@pytest.mark.parametrize("name", ["upload_memory", "download_memory"])
def test_a_budget_is_the_default(name: str) -> None:
    [option] = [each for each in GATEWAY_OPTS if each.name == name]
    assert f"``{name}``\n     - {option.default} MiB by default" in SIZING


def test_the_connections_are_the_defaults() -> None:
    [buffer, window] = [
        next(each.default for each in GATEWAY_OPTS if each.name == name)
        for name in ("upload_buffer", "download_window")
    ]
    assert f"by default {buffer} / 10 = {buffer // 10}" in SIZING
    assert f"``download_window`` ({window})" in SIZING

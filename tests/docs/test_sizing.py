# SPDX-License-Identifier: Apache-2.0
"""The arithmetic of the pages is right, and begins with the options' defaults."""

from __future__ import annotations

import ast
import operator
import pathlib
import re

import pytest

from s3gateway.config.options import GATEWAY_OPTS

OPERATIONS = (
    pathlib.Path(__file__).resolve().parents[2] / "docs" / "source" / "operations"
)
SIZING = (OPERATIONS / "sizing.rst").read_text()
_SUM = re.compile(r"^    ([\d,. ()*/+-]+=[\d,. ()*/+=-]+)$", re.MULTILINE)
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
    assert len(sums()) == 3


@pytest.mark.parametrize("line", sums())
def test_an_example_is_right(line: str) -> None:
    first, *others = map(value, line.split("="))
    assert [round(other) for other in others] == [round(first)] * len(others)


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

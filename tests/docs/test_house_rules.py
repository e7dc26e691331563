# SPDX-License-Identifier: Apache-2.0
"""Functions have about 20 lines and modules less than 300, as contributor.rst says."""

from __future__ import annotations

import ast
import pathlib
import statistics
from collections.abc import Iterator

PACKAGE = pathlib.Path(__file__).resolve().parents[2] / "s3gateway"
MODULES = sorted(PACKAGE.rglob("*.py"))

_LONGEST_MODULE = 299
_LONGEST_FUNCTION = 50
_TYPICAL = 10
_NINE_IN_TEN = 20


def functions() -> Iterator[tuple[str, int]]:
    """Yield each function's name and its number of lines, docstring included."""
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                yield f"{path.relative_to(PACKAGE)}: {node.name}", lines


def test_no_module_is_too_long() -> None:
    lengths = {
        str(path.relative_to(PACKAGE)): len(path.read_text().splitlines())
        for path in MODULES
    }
    assert {name: n for name, n in lengths.items() if n > _LONGEST_MODULE} == {}


def test_no_function_is_too_long() -> None:
    assert {name: n for name, n in functions() if n > _LONGEST_FUNCTION} == {}


def test_most_functions_are_short() -> None:
    lengths = [lines for _, lines in functions()]
    assert statistics.median(lengths) <= _TYPICAL
    assert statistics.quantiles(lengths, n=10)[-1] <= _NINE_IN_TEN

# SPDX-License-Identifier: Apache-2.0
"""Each code of ``check`` is given at one place, and the schema explains all of them."""

from __future__ import annotations

import ast
import collections
import json
import pathlib
import re
import runpy
from collections.abc import Iterator

from tests.support import schema

ROOT = pathlib.Path(__file__).parents[2]
CHECK = ROOT / "s3gateway" / "manage" / "check"


def trees() -> Iterator[ast.Module]:
    for path in sorted(CHECK.glob("*.py")):
        yield ast.parse(path.read_text(encoding="utf-8"))


def takers() -> set[str]:
    """Return the functions and classes whose first argument is a code."""
    found = set()
    for tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.args.args:
                first = node.args.args[0].arg
            elif isinstance(node, ast.ClassDef):
                fields = [n for n in node.body if isinstance(n, ast.AnnAssign)]
                first = ast.unparse(fields[0].target) if fields else ""
            else:
                continue
            if first == "code":
                found.add(node.name)
    return found


def given() -> Iterator[str]:
    """Yield the codes that are written where a finding is made.

    What is no literal there is handed on, and is called ``code``.
    """
    wanted = takers()
    assert {"ok", "note", "warning", "error", "Finding", "Meaning"} <= wanted
    for tree in trees():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func).removeprefix("findings.")
            if called not in wanted:
                continue
            code = node.args[0]
            if isinstance(code, ast.Constant):
                yield str(code.value)
            else:
                assert ast.unparse(code) in ("code", "meaning.code"), ast.unparse(node)


def explained() -> list[str]:
    codes = json.loads(schema.FILE.read_text())["$defs"]["code_of_check"]["oneOf"]
    return [each["const"] for each in codes]


def test_no_code_has_two_meanings() -> None:
    count = collections.Counter(given())
    assert [code for code, times in count.items() if times > 1] == []
    assert len(count) > 80


def test_every_code_is_explained_and_none_that_is_not_given() -> None:
    codes = explained()
    assert sorted(codes) == sorted(given())
    assert all(re.fullmatch("[a-z][a-z0-9]*(_[a-z0-9]+)+", code) for code in codes)


def test_the_page_has_them_all() -> None:
    text = runpy.run_path(str(ROOT / "docs" / "commands.py"))["codes"]()
    assert re.findall(r"^``(\w+)``\n    \S.*\.$", text, re.MULTILINE) == explained()
    page = (ROOT / "docs" / "source" / "command.rst").read_text(encoding="utf-8")
    assert ".. s3gateway-codes::" in page

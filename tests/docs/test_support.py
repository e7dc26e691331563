# SPDX-License-Identifier: Apache-2.0
"""The support matrix says what the tests run, and nothing else."""

from __future__ import annotations

import pathlib
import runpy

ROOT = pathlib.Path(__file__).resolve().parents[2]
SUPPORT = runpy.run_path(str(ROOT / "docs" / "support.py"))
PAGE = ROOT / "docs" / "source" / "support.rst"


def test_the_tables_are_up_to_date() -> None:
    for name, table in SUPPORT["tables"]().items():
        shown = SUPPORT["path"](name).read_text(encoding="utf-8")
        assert shown == SUPPORT["text"](table), "run: python docs/support.py"


def test_the_page_shows_all_of_them() -> None:
    page = PAGE.read_text()
    names = sorted(path.name for path in SUPPORT["TABLES"].glob("support-*.csv"))
    assert names == sorted(SUPPORT["path"](name).name for name in SUPPORT["tables"]())
    assert [name for name in names if f"tables/{name}" not in page] == []


def test_a_test_that_moves_to_the_full_tier_is_noticed() -> None:
    """The state of a cell is its tests' marks, not what somebody wrote."""
    assert SUPPORT["_tier"]("tests.system.test_tls") == "full tier"
    assert SUPPORT["_tier"]("tests.clients.test_openstack") == "in CI"
    states = {state for table in SUPPORT["tables"]().values() for row in table[1:]
              for state in row[1:]}  # fmt: skip
    assert {"in CI", "full tier", "not tested"} <= states

# SPDX-License-Identifier: Apache-2.0
"""The pictures of the growth are of what was measured, and all sides were."""

from __future__ import annotations

import itertools
import json
import pathlib
import runpy

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
GROWTH = runpy.run_path(str(ROOT / "docs" / "growth.py"))
RUNS = json.loads(GROWTH["RUNS"].read_text(encoding="utf-8"))


@pytest.mark.parametrize("kind", GROWTH["KINDS"])
def test_a_picture_is_up_to_date(kind: str) -> None:
    picture = (GROWTH["MEASURED"] / f"growth-{kind}.svg").read_text(encoding="utf-8")
    assert picture == GROWTH["draw"](RUNS, kind), "run: python docs/growth.py"


def test_nothing_is_left_out() -> None:
    sides = ("stock", "gateway", "two gateways")
    measured = {(run["kind"], run["clients"], run["side"]) for run in RUNS}
    assert measured == set(
        itertools.product(GROWTH["KINDS"], (1, 4, 16, 64, 256), sides)
    )

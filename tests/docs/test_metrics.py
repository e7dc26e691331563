# SPDX-License-Identifier: Apache-2.0
"""The documentation names all metrics, and no others."""

from __future__ import annotations

import pathlib
import re

from s3gateway.monitoring import metrics

PAGE = (
    pathlib.Path(__file__).resolve().parents[2] / "docs/source/operations/metrics.rst"
)


def test_every_metric_is_in_the_table_and_no_other_anywhere() -> None:
    there = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in metrics.REGISTRY.collect()
    }
    page = PAGE.read_text()
    table = set(re.findall(r"^   \* - ``(s3gateway_\w+)``$", page, re.MULTILINE))
    assert table == there
    assert set(re.findall(r"``(s3gateway_\w+)``", page)) == there

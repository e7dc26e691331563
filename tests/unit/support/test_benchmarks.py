# SPDX-License-Identifier: Apache-2.0
"""The figures of a benchmark's report: medians, ratios and targets."""

from __future__ import annotations

import pathlib

import pytest

from benchmarks import report
from benchmarks.cases import TARGETS
from benchmarks.cases import Target
from benchmarks.cases import cases
from benchmarks.report import Results
from benchmarks.small import LISTED
from benchmarks.small import SIZES
from benchmarks.small import Rate
from benchmarks.small import Requests
from benchmarks.transfers import Sample


def sample(side: str, speed: float, cpu: float = 1.0) -> Sample:
    return Sample("download", side, 0, 1.0, speed, cpu, 20.0, 0.1, 0.9, 1.0)


@pytest.fixture
def results() -> Results:
    """The gateway's median is 150 MiB/s, stock's 100."""
    return Results(
        samples=[
            *(sample("gateway", speed, 0.5) for speed in (900.0, 150.0, 140.0)),
            *(sample("stock", speed) for speed in (100.0, 1.0, 110.0)),
        ],
        rates=[
            Rate("list-1000", "stock", 0, 2.0, 0.1),
            Rate("list-1000", "gateway", 0, 1.0, 0.1),
        ],
        requests=[Requests("upload", "gateway", {"PUT": 2, "DELETE": 1})],
        digests={"md5": 1.5},
    )


def test_a_ratio_is_of_medians(results: Results) -> None:
    target = Target("download", "speed", "stock", least=1.5)
    assert results.reached(target) == 1.5
    assert target.is_met(results.reached(target))
    assert not Target("download", "cpu", "stock", most=0.4).is_met(0.5)


def test_a_target_may_be_of_another_side(results: Results) -> None:
    results.samples += [sample("face", 95.0, 1.1)]
    slower = Target("download", "speed", "stock", least=0.9, side="face")
    assert results.reached(slower) == 0.95


def test_what_was_not_reached_is_said(results: Results) -> None:
    [targets] = [table for table in report.tables(results) if table.name == "targets"]
    said = {(row[0], row[1]): row[-1] for row in targets.rows}
    assert said["download", "speed"] == "yes"
    assert said["list-1000", "rate"] == "no"


def test_every_table_is_written(results: Results, tmp_path: pathlib.Path) -> None:
    for table in (*report.tables(results), *report.raw(results)):
        table.write(tmp_path)
        assert table.headings[0] in table.text()
        assert table.markdown().startswith(f"## {table.name}\n\n| ")
    runs = (tmp_path / "runs.csv").read_text().splitlines()
    assert len(runs) == 1 + len(results.samples)
    assert runs[1] == "download,gateway,0,1.000,900.000,0.500,20.000,0.100,0.900,1.000"
    requests = (tmp_path / "requests.csv").read_text().splitlines()
    assert requests[1] == 'upload,gateway,3,"1 DELETE, 2 PUT"'


def test_every_target_is_of_something_that_is_measured() -> None:
    small = {f"{way}-{size}" for way in ("upload", "download") for size in SIZES}
    measured = {case.name for case in cases(1024)} | small | {f"list-{LISTED}"}
    assert {target.case for target in TARGETS} <= measured

# SPDX-License-Identifier: Apache-2.0
"""The report of the mix of operations has warp's form."""

from __future__ import annotations

import pytest

from benchmarks.mix import SHARES
from benchmarks.mix import Done
from benchmarks.mix import Report

MIB = 1024**2


@pytest.fixture
def report() -> Report:
    done = [
        Done(name, 10 * MIB if name in ("GET", "PUT") else 0, seconds, 100 + seconds)
        for name in SHARES
        for seconds in (1.0, 2.0, 3.0, 4.0)
    ]
    return Report(done, started=100, at_once=20)


def test_a_report(report: Report) -> None:
    assert report.rate("GET") == (10, 1)
    assert report.rate() == (20, 4)
    assert report.median("STAT") == 2500
    lines = str(report).splitlines()
    at = lines.index("Report: GET. Concurrency: 20. Ran: 4s")
    assert lines[at + 1 : at + 3] == [
        " * Average: 10.00 MiB/s, 1.00 obj/s",
        (
            " * Reqs: Avg: 2500.0ms, 50%: 3000.0ms, 90%: 4000.0ms, 99%: 4000.0ms, "
            "Fastest: 1000.0ms, Slowest: 4000.0ms, StdDev: 1118.0ms"
        ),
    ]
    assert " * Average: 1.00 obj/s" in lines, "nothing is moved by a STAT"
    assert lines[-1] == " * Average: 20.00 MiB/s, 4.00 obj/s"

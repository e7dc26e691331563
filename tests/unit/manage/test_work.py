# SPDX-License-Identifier: Apache-2.0
"""How fast long work is, and how long work is told of."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from s3gateway.manage.output import Output
from s3gateway.manage.progress import Bar
from s3gateway.manage.work import Bandwidth
from s3gateway.manage.work import Work

MIB = 1024**2


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that the test moves."""
    clock = [100.0]
    monkeypatch.setattr("s3gateway.manage.work.time.monotonic", lambda: clock[0])
    return clock


def test_so_many_bytes_a_second(clock: list[float]) -> None:
    bandwidth = Bandwidth(10 * MIB)
    assert bandwidth.take(10 * MIB) == 0  # what one second saves
    assert bandwidth.take(5 * MIB) == 0.5
    assert bandwidth.take(5 * MIB) == 1.0  # another thread
    clock[0] += 3
    assert bandwidth.take(10 * MIB) == 0  # no more than one second is saved
    assert bandwidth.take(10 * MIB) == 1.0


def test_no_limit(clock: list[float]) -> None:
    assert Bandwidth(0).take(10**12) == 0


def test_work_waits_for_its_bandwidth(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    def wait(self: threading.Event, seconds: float) -> bool:
        waited.append(seconds)
        return False

    bar = Bar(10, "bytes", drawn=False)
    work = Work(Output(), bar, bandwidth=MIB)
    monkeypatch.setattr("threading.Event.wait", wait)
    work.moved(MIB)
    work.moved(2 * MIB)
    assert waited == [0, 2]


def test_a_log_has_a_line_a_minute(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with Output().bar(100, "images") as bar:
        for _ in range(50):
            clock[0] += 2
            bar.moved(1)
        assert list(Output().progress(range(3), "images")) == [0, 1, 2]
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "31%" in lines[0]


def test_all_threads_stop_when_one_is_interrupted() -> None:
    output = Output()
    work = Work(output, Bar(10, "bytes", drawn=False), concurrency=2)
    begun = threading.Event()

    def do(name: str) -> Iterator[str]:
        if name == "long":
            begun.set()
            for _ in range(600):  # half a minute, if nothing stops it
                work.moved(1)
                time.sleep(0.05)
        else:
            begun.wait(30)
            os.kill(os.getpid(), signal.SIGINT)
        yield name

    assert "long" not in work.each(do, ["long", "short"], str)
    assert output.interrupted

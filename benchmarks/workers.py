# SPDX-License-Identifier: Apache-2.0
"""CPU seconds and memory of a server's worker processes."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import re
import time

import psutil

_RESET_PEAK = "5"  # proc(5), clear_refs: VmHWM begins anew
_KIB = 1024
_CALM = 0.1  # of a core
_LOOK = 0.5  # seconds


@dataclasses.dataclass(frozen=True)
class Cost:
    """What something has cost the workers.

    :ivar cpu: user and system time, in seconds
    :ivar memory: peak resident memory over idle of the largest worker, in bytes
    """

    cpu: float
    memory: int


class Workers:
    """The master processes of servers, and their workers.

    What they hold when this is made counts as idle: make it when they have loaded
    what they need and before the first large image.
    """

    def __init__(self, *pids: int) -> None:
        masters = [psutil.Process(pid) for pid in pids]
        self._processes = [
            process
            for master in masters
            for process in (master, *master.children(recursive=True))
        ]
        self._idle = {found.pid: found.memory_info().rss for found in self._processes}
        self._cpu = 0.0

    @property
    def pids(self) -> list[int]:
        return [found.pid for found in self._processes]

    def begin(self) -> None:
        """Take what comes from now on."""
        for process in self._processes:
            pathlib.Path(f"/proc/{process.pid}/clear_refs").write_text(_RESET_PEAK)
        self._cpu = self._seconds()

    def end(self) -> Cost:
        """Return what it has cost since ``begin``."""
        peaks = [_peak(found.pid) - self._idle[found.pid] for found in self._processes]
        return Cost(self._seconds() - self._cpu, max(peaks))

    def _seconds(self) -> float:
        return sum(
            times.user + times.system
            for times in (process.cpu_times() for process in self._processes)
        )


class Watch:
    """Takes the time of what is done in its context.

    :ivar seconds: how long it took
    :ivar busy: how much of all processors was at work, on whatever, from 0 to 1
    """

    seconds = 0.0
    busy = 0.0

    def __enter__(self) -> Watch:
        self._began = time.monotonic()
        self._worked = _seconds_of_the_machine()
        return self

    def __exit__(self, *exception: object) -> None:
        self.seconds = time.monotonic() - self._began
        worked = _seconds_of_the_machine() - self._worked
        self.busy = worked / self.seconds / (psutil.cpu_count() or 1)


def _seconds_of_the_machine() -> float:
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait)


def _peak(pid: int) -> int:
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB$", text, re.MULTILINE)
    return int(found[1]) * _KIB if found else 0


def connections(pids: list[int], target: int, own: int) -> tuple[int, int]:
    """Count the connections of processes.

    :param target: a port that they connect to
    :param own: the port at which they listen
    :return: those to the target, and those of clients
    """
    found = [
        each
        for pid in pids
        for each in psutil.Process(pid).net_connections("tcp")
        if each.raddr and each.status == psutil.CONN_ESTABLISHED
    ]
    return (
        sum(each.raddr.port == target for each in found),
        sum(each.laddr.port == own for each in found),
    )


def wait_until_calm(patience: float = 20.0) -> None:
    """Wait until our servers have nothing to do, such as to collect garbage."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        before = _seconds_of_all()
        time.sleep(_LOOK)
        if _seconds_of_all() - before < _CALM * _LOOK:
            return


def _seconds_of_all() -> float:
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system
    return total

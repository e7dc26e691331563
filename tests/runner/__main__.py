# SPDX-License-Identifier: Apache-2.0
"""Runs the parts of a tier: those that are named, or all."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from collections.abc import Iterator
from concurrent import futures

from tests.runner.outcome import Outcome
from tests.runner.outcome import table
from tests.runner.parts import DEFAULT
from tests.runner.parts import FULL
from tests.runner.parts import Part
from tests.runner.parts import Tier

TIERS = {"default": DEFAULT, "full": FULL}


class Running:
    """The parts that run, until they have ended or are broken off."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = {**os.environ, **environment}
        self._processes: set[subprocess.Popen[str]] = set()
        self._given_up = threading.Event()

    def break_off(self, *_: object) -> None:
        """Let the parts that run end, and begin no other.

        A signal handler.  It acts once: a second signal would leave things behind.
        """
        if not self._given_up.is_set():
            self._given_up.set()
            for process in list(self._processes):
                process.terminate()

    def run(self, part: Part) -> Outcome:
        """Run a part, and print what it prints with its name in front."""
        outcome = Outcome(part.name)
        if self._given_up.is_set():
            return outcome
        started = time.monotonic()
        with self._started(part) as process, _limit(process, part, outcome):
            assert process.stdout is not None
            for line in process.stdout:
                self._tell(f"{part.name:>8} | {line}")
                outcome.read(line)
            outcome.code = process.wait()
        outcome.broken_off |= self._given_up.is_set()
        outcome.seconds = time.monotonic() - started
        return outcome

    def _tell(self, line: str) -> None:
        try:
            print(line, end="", flush=True)
        except OSError:  # the reader is gone
            self.break_off()

    @contextlib.contextmanager
    def _started(self, part: Part) -> Iterator[subprocess.Popen[str]]:
        with subprocess.Popen(
            part.command(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=self._environment,
            start_new_session=True,  # Ctrl-C is for this process to pass on
        ) as process:
            self._processes.add(process)
            if self._given_up.is_set():
                process.terminate()
            yield process
        self._processes.discard(process)


@contextlib.contextmanager
def _limit(
    process: subprocess.Popen[str], part: Part, outcome: Outcome
) -> Iterator[None]:
    def break_off() -> None:
        outcome.broken_off = True
        outcome.failures.append(f"broken off after {part.limit} minutes")
        process.terminate()

    timer = threading.Timer(part.limit * 60, break_off)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def run(tier: Tier, parts: Iterable[Part], running: Running) -> list[Outcome]:
    """Run parts, at once where that may be; return their outcomes in this order."""
    parts = list(parts)
    begun: dict[str, futures.Future[Outcome]] = {}
    with futures.ThreadPoolExecutor(tier.at_once) as pool:
        for part in sorted(parts, key=lambda part: part.alone):
            if part.alone:
                futures.wait(begun.values())
            begun[part.name] = pool.submit(running.run, part)
    return [begun[part.name].result() for part in parts]


def main() -> int:
    """Return 0 if no part has failed or left anything."""
    parser = argparse.ArgumentParser(prog="python -m tests.runner")
    parser.add_argument("tier", choices=TIERS)
    parser.add_argument("parts", nargs="*", metavar="PART")
    words = parser.parse_args()
    tier = TIERS[words.tier]
    try:
        parts = tier.named(words.parts)
    except LookupError as unknown:
        names = ", ".join(part.name for part in tier.parts)
        parser.error(f"no part {unknown}; there are {names}")
    started = time.monotonic()
    running = Running(tier.environment)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, running.break_off)
    outcomes = run(tier, parts, running)
    minutes = (time.monotonic() - started) / 60
    print("\n".join(table(outcomes)))
    print(f"{len(outcomes)} parts in {minutes:.0f} minutes")
    return int(any(each.is_bad for each in outcomes))


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""The demo's output while it works, and the table at its end."""

from __future__ import annotations

import sys
import threading
import time


class Report:
    """Prints steps and checks, and remembers the checks.

    On a terminal it shows for how long a step has been going on, until it is left.
    """

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._checks: list[tuple[str, bool]] = []
        self._left_out: list[str] = []
        self._over = threading.Event()
        self._clock = threading.Thread(target=self._show_time, daemon=True)

    def __enter__(self) -> Report:
        if sys.stdout.isatty():
            self._clock.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        if self._clock.is_alive():
            self._clock.join()

    def _show_time(self) -> None:
        while not self._over.wait(1):
            # The cursor goes back to where it was: the next line is written over this.
            print(f"    ... at {self._passed():.0f} s\r", end="", flush=True)

    def _passed(self) -> float:
        return time.monotonic() - self._started

    def step(self, text: str) -> None:
        """Say what is being done."""
        _say(f"\n[{self._passed():5.1f} s] {text}")

    def show(self, text: str) -> None:
        """Show what a program printed."""
        for line in text.rstrip().splitlines():
            _say(f"    {line}")

    def check(self, text: str, holds: bool) -> None:
        """Say whether something that must hold does."""
        self._checks.append((text, holds))
        _say(f"    {_mark(holds)} {text}")

    def leave_out(self, what: str, reason: str) -> None:
        """Say what is not checked on this machine, and why."""
        self._left_out.append(f"{what}: {reason}")
        _say(f"    left out: {what}: {reason}")

    def finish(self) -> int:
        """Print the table; return the exit code."""
        failed = sum(not holds for _, holds in self._checks)
        width = max(len(text) for text, _ in self._checks)
        _say(f"\n{'what was checked':<{width}}  result\n{'-' * (width + 8)}")
        for text, holds in self._checks:
            _say(f"{text:<{width}}  {_mark(holds)}")
        _say(f"{'-' * (width + 8)}\n{len(self._checks)} checks, {failed} failed")
        for line in self._left_out:
            _say(f"left out: {line}")
        return 1 if failed else 0


def _say(text: str) -> None:
    """Print a text over the time that may stand there."""
    clear = "\033[K" if sys.stdout.isatty() else ""
    print(f"{clear}{text}", flush=True)


def _mark(holds: bool) -> str:
    return "ok" if holds else "FAILED"

# SPDX-License-Identifier: Apache-2.0
"""What the demo says while it works, and the table at its end."""

from __future__ import annotations

import time


class Report:
    """Prints steps and checks, and remembers the checks."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._checks: list[tuple[str, bool]] = []

    def step(self, text: str) -> None:
        """Say what is being done."""
        passed = time.monotonic() - self._started
        print(f"\n[{passed:5.1f} s] {text}", flush=True)

    def show(self, text: str) -> None:
        """Show what a program printed."""
        for line in text.rstrip().splitlines():
            print(f"    {line}", flush=True)

    def check(self, text: str, holds: bool) -> None:
        """Say whether something that must hold does."""
        self._checks.append((text, holds))
        print(f"    {_mark(holds)} {text}", flush=True)

    def finish(self) -> int:
        """Print the table; return the exit code."""
        failed = sum(not holds for _, holds in self._checks)
        width = max(len(text) for text, _ in self._checks)
        print(f"\n{'what was checked':<{width}}  result\n{'-' * (width + 8)}")
        for text, holds in self._checks:
            print(f"{text:<{width}}  {_mark(holds)}")
        print(f"{'-' * (width + 8)}\n{len(self._checks)} checks, {failed} failed")
        return 1 if failed else 0


def _mark(holds: bool) -> str:
    return "ok" if holds else "FAILED"

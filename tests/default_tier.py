# SPDX-License-Identifier: Apache-2.0
"""Runs the tests that need servers, in parts at once; ``make test`` calls it.

Each part is a pytest of its own, with servers of its own.  Its lines come out with its
name in front as soon as they are whole, and what failed comes out once more at the end.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from concurrent import futures

# They take about equally long.
PARTS = {
    "system": ("tests/system",),
    "faults": ("tests/faults", "tests/manage"),
    "parity": ("tests/parity", "tests/clients"),
    "leaks": ("tests/leaks", "tests/contract", "tests/devstack"),
}


def main() -> int:
    """Run all parts and return 0 if nothing in them failed."""
    with futures.ThreadPoolExecutor() as pool, contextlib.ExitStack() as stack:
        running = {}
        for name, directories in PARTS.items():
            part = subprocess.Popen(
                [sys.executable, "-m", "pytest", *directories],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
            stack.callback(part.terminate)
            running[name] = pool.submit(_follow, name, part)
        ended = {name: part.result() for name, part in running.items()}
    for name, (code, failures) in ended.items():
        print(f"{name}: {'passed' if code == 0 else f'failed, exit code {code}'}")
        print("".join(failures), end="")
    return int(any(code for code, _ in ended.values()))


def _follow(name: str, part: subprocess.Popen[str]) -> tuple[int, list[str]]:
    """Print what a part prints; return its exit code and its lines on failures."""
    failures = []
    assert part.stdout is not None
    with part.stdout:
        for line in part.stdout:
            print(f"{name:>6} | {line}", end="", flush=True)
            if line.startswith(("FAILED ", "ERROR ")):
                failures.append(line)
    return part.wait(), failures


if __name__ == "__main__":
    sys.exit(main())

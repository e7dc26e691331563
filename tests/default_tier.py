# SPDX-License-Identifier: Apache-2.0
"""Runs the tests that need servers, in parts at once; ``make test`` calls it.

Each part is a pytest of its own, with servers of its own.  Its lines come out with its
name in front as soon as they are whole.
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
        codes = {name: part.result() for name, part in running.items()}
    for name, code in codes.items():
        print(f"{name}: {'passed' if code == 0 else f'failed, exit code {code}'}")
    return int(any(codes.values()))


def _follow(name: str, part: subprocess.Popen[str]) -> int:
    """Print what a part prints, and return its exit code."""
    assert part.stdout is not None
    with part.stdout:
        for line in part.stdout:
            print(f"{name:>6} | {line}", end="", flush=True)
    return part.wait()


if __name__ == "__main__":
    sys.exit(main())

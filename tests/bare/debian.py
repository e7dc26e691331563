# SPDX-License-Identifier: Apache-2.0
"""A bare Debian for a test: ``run.sh`` and ``boot.sh``, if they are allowed here."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BASES = pathlib.Path(os.environ.get("S3GATEWAY_BARE") or ROOT / ".bare")

_CANNOT = 125


def run_on_bare(suite: str, *commands: str) -> str:
    """Run commands on a bare Debian; return what they print."""
    return _run("run.sh", "--suite", suite, *commands)


@contextlib.contextmanager
def kept_bare(suite: str, commands: str) -> Iterator[tuple[str, pathlib.Path]]:
    """Run commands on a bare Debian; give what they print, and what they leave."""
    said = _run("run.sh", "--keep", "--suite", suite, commands)
    (directory,) = re.findall(r"(?m)^the system is kept in (.*)$", said)
    try:
        yield said, pathlib.Path(directory)
    finally:
        shutil.rmtree(directory)


def boot(suite: str, system: pathlib.Path) -> str:
    """Boot a system that was kept, and run probe.sh in it; return what it prints."""
    return _run("boot.sh", suite, str(system))


def _run(script: str, *words: str) -> str:
    """Run a script; a machine on which it cannot be run leaves the test out."""
    done = subprocess.run(
        [HERE / script, *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    print(done.stdout)
    if done.returncode == _CANNOT:
        pytest.skip(done.stdout.splitlines()[-1])
    assert done.returncode == 0
    return done.stdout

# SPDX-License-Identifier: Apache-2.0
"""The project's files as they are, as a clone of their own."""

from __future__ import annotations

import pathlib
import shutil

from tests.support.servers.processes import run

ROOT = pathlib.Path(__file__).resolve().parents[2]

_AUTHOR = ("-c", "user.name=a test", "-c", "user.email=test@example.org")


def copy(directory: pathlib.Path) -> pathlib.Path:
    """Copy the files that git knows or would add; return the directory."""
    found = run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT
    )
    for name in found.stdout.splitlines():
        if (ROOT / name).is_file():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, directory / name)
    return directory


def commit(directory: pathlib.Path, version: str) -> None:
    """Make a repository of files, with one commit that has the tag of a version."""
    run(["git", "init", "--quiet"], cwd=directory)
    run(["git", "add", "--all"], cwd=directory)
    run(["git", *_AUTHOR, "commit", "--quiet", "-m", "All of it"], cwd=directory)
    run(["git", *_AUTHOR, "tag", "-m", "A release", version], cwd=directory)

# SPDX-License-Identifier: Apache-2.0
"""The project's files as they are, built into an sdist and a wheel."""

from __future__ import annotations

import dataclasses
import pathlib
import shutil
import sys

import pytest

from tests.support.servers.processes import run

ROOT = pathlib.Path(__file__).resolve().parents[2]

VERSION = "4.5.6"

_AUTHOR = ("-c", "user.name=a test", "-c", "user.email=test@example.org")


@dataclasses.dataclass(frozen=True)
class Built:
    """The two distributions, and the files they were built from."""

    tree: pathlib.Path
    sdist: pathlib.Path
    wheel: pathlib.Path


def build(
    tree: pathlib.Path, output: pathlib.Path, *kinds: str, **environment: str
) -> None:
    """Build distributions with what is installed, without the network."""
    options = ["--no-isolation", f"--outdir={output}"]
    run([sys.executable, "-m", "build", *options, *kinds, tree], env=environment)


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A copy of the files that git knows or would add."""
    found = run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT
    )
    tree = tmp_path_factory.mktemp("source") / "s3gateway"
    for name in found.stdout.splitlines():
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tree / name)
    return tree


@pytest.fixture(scope="session")
def built(tree: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """An sdist and a wheel from a git repository of these files."""
    repository = tmp_path_factory.mktemp("repository") / "s3gateway"
    shutil.copytree(tree, repository)
    run(["git", "init", "--quiet"], cwd=repository)
    run(["git", "add", "--all"], cwd=repository)
    run(["git", *_AUTHOR, "commit", "--quiet", "-m", "All of it"], cwd=repository)
    run(["git", *_AUTHOR, "tag", "-m", "A release", VERSION], cwd=repository)
    output = tmp_path_factory.mktemp("dist")
    build(repository, output, "--sdist", "--wheel")
    (sdist,), (wheel,) = output.glob("*.tar.gz"), output.glob("*.whl")
    return Built(tree=repository, sdist=sdist, wheel=wheel)

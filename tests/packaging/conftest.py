# SPDX-License-Identifier: Apache-2.0
"""The project's files as they are, built into an sdist and a wheel."""

from __future__ import annotations

import dataclasses
import pathlib
import shutil
import sys

import pytest

from tests.support import checkout
from tests.support.servers.processes import run

ROOT = pathlib.Path(__file__).resolve().parents[2]

VERSION = "4.5.6"


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
    return checkout.copy(tmp_path_factory.mktemp("source") / "s3gateway")


@pytest.fixture(scope="session")
def built(tree: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """An sdist and a wheel from a git repository of these files."""
    repository = tmp_path_factory.mktemp("repository") / "s3gateway"
    shutil.copytree(tree, repository)
    checkout.commit(repository, VERSION)
    output = tmp_path_factory.mktemp("dist")
    build(repository, output, "--sdist", "--wheel")
    (sdist,), (wheel,) = output.glob("*.tar.gz"), output.glob("*.whl")
    return Built(tree=repository, sdist=sdist, wheel=wheel)

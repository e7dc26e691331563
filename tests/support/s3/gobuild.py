# SPDX-License-Identifier: Apache-2.0
"""S3 servers that are built from their Go modules."""

from __future__ import annotations

import dataclasses
import fcntl
import pathlib
import shutil

from tests.support.servers.environments import HOME
from tests.support.servers.environments import run_as_owner


@dataclasses.dataclass(frozen=True)
class Program:
    """A program of a Go module.

    :ivar name: of the program
    :ivar package: what ``go install`` is told
    :ivar version: of the module
    """

    name: str
    package: str
    version: str

    @property
    def path(self) -> pathlib.Path:
        """Where it is, or will be."""
        version = self.version.rpartition("-")[2]
        return HOME / f"{self.name}-{version}" / self.name

    def missing(self) -> str:
        """Return what is missing to run it, empty if nothing."""
        if self.path.exists() or shutil.which("go"):
            return ""
        return "no Go toolchain, which builds it from its module"

    def build(self) -> pathlib.Path:
        """Return the program, after building it if needed, which takes minutes."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with (HOME / f"{self.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self.path.exists():
                print(
                    f"building {self.name} {self.version} from its Go module",
                    flush=True,
                )
                words = ["go", "install", f"{self.package}@{self.version}"]
                run_as_owner(words, GOBIN=str(self.path.parent))
        return self.path

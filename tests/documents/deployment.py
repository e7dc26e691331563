# SPDX-License-Identifier: Apache-2.0
"""A document's Glance in three shapes, and an operator with a shell before it.

All three have the same database, and the stores as the document configures them: stock
Glance, Glance with the filter, and a stand-alone gateway before the stock one.
"""

from __future__ import annotations

import contextlib
import pathlib
import shutil
import subprocess
from collections.abc import Mapping
from importlib import metadata
from typing import Any

from tests.support.s3.s3server import S3Server
from tests.support.servers import environments
from tests.support.servers.cloud import Cloud
from tests.support.servers.glance import Config
from tests.support.servers.glance import Glance
from tests.support.servers.keystone import ALICE
from tests.support.servers.keystone import Keystone
from tests.support.servers.keystone import User
from tests.support.servers.mariadb import MariaDB
from tests.support.servers.processes import run
from tests.support.servers.standalone import Gateway

STOCK, FILTER, ALONE = "stock Glance", "the filter", "stand-alone"
#: The gateway's two ways to stand before Glance.
GATEWAYS = (FILTER, ALONE)
SHAPES = (STOCK, *GATEWAYS)


class Deployment(Cloud):
    """The Glances of a document.

    :param name: of the database
    :param config: of the stores, as the document has it
    :param keystone: whom they ask about tokens; if none, a stand-in
    :param how: of the Glances; see ``GlanceSpec``
    """

    RELEASE = 33

    def __init__(
        self,
        name: str,
        config: Config,
        *,
        directory: pathlib.Path,
        mariadb: MariaDB,
        s3: S3Server,
        stack: contextlib.ExitStack,
        keystone: Keystone | None = None,
        **how: Any,
    ) -> None:
        self._config = config
        self._how = how
        self._keystone = keystone
        super().__init__(self.RELEASE, directory, mariadb, s3, stack, name)

    def create_buckets(self) -> None:
        """Create none: the document says when there is a bucket."""

    def stores(self) -> Config:
        return self._config

    def bucket(self, store: str) -> str:
        return self._config[store]["s3_store_bucket"]

    def url(self, shape: str) -> str:
        """Return the image API of a shape, which is started if it does not run."""
        return self._server(shape).url

    def log(self, shape: str) -> str:
        """Return what a shape has logged."""
        return self._server(shape).log

    def _server(self, shape: str) -> Glance | Gateway:
        if self._keystone is None:
            if shape == ALONE:
                return self.standalone(**self._how)
            return self.glance(gateway=shape == FILTER, **self._how)
        if shape == ALONE:
            ours = {"service_user": self._keystone.section()}
            return self.identified(self._keystone, ours, **self._how)
        config = self._keystone.authtoken()
        how = {"keystone": True, "config": config, **self._how}
        return self.glance(gateway=shape == FILTER, **how)


class Shell:
    """A shell of a user with the clients, in a directory of its own.

    :param glance_url: how ``$GLANCE_URL`` reads in it
    """

    def __init__(
        self,
        directory: pathlib.Path,
        keystone: Keystone,
        glance_url: str,
        user: User = ALICE,
    ) -> None:
        keystone.endpoint(glance_url)
        self.directory = directory
        self.token = keystone.token(user)
        self._environment = {
            **keystone.environment(user),
            "PATH": f"{environments.bin_dir('clients')}:/usr/bin:/bin:/usr/sbin",
            "GLANCE_URL": glance_url,
            "TOKEN": self.token,
        }

    def __call__(self, line: str, *, check: bool = True) -> str:
        """Run a line of a document; return what it prints.

        :param check: whether it has to succeed
        """
        return self.done(line, check=check).stdout

    def done(
        self, line: str, *, check: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run a line of a document; return how it ended."""
        words = ["bash", "-euc", line]
        return run(words, env=self._environment, cwd=self.directory, check=check)

    def terminal(self, line: str) -> str:
        """Run a line on a terminal, where clients show their bars."""
        words = ["script", "-qec", line, "/dev/null"]
        return run(words, env=self._environment, cwd=self.directory).stdout


def versions(*packages: str, environment: str = "glance-33") -> Mapping[str, str]:
    """Return the versions of packages in an environment."""
    site = next((environments.bin_dir(environment).parent / "lib").glob("python3*"))
    found = metadata.distributions(path=[str(site / "site-packages")])
    known = {each.metadata["Name"].lower(): each.version for each in found}
    return {name: known[name.lower()] for name in packages}


def program_version(*words: str) -> str:
    """Return the first line that a program prints of its version."""
    if not shutil.which(words[0]):
        return "unknown"
    return run(list(words)).stdout.splitlines()[0]

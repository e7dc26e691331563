# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL on a unix socket.

Debian's package ``postgresql`` has the programs, and the user that they run as: they
refuse to be root's.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator

from tests.support.servers.processes import Server
from tests.support.servers.processes import ServerFailed
from tests.support.servers.processes import run

_PROGRAMS = pathlib.Path("/usr/lib/postgresql")
_OWNER = "postgres"


class PostgreSQL:
    """A running server."""

    def __init__(self, socket: pathlib.Path) -> None:
        self._socket = socket

    def create(self, name: str) -> str:
        """Create a database and return its URL for SQLAlchemy."""
        run(_as_owner(_program("createdb"), "-h", self._socket, "-U", _OWNER, name))
        return f"postgresql+psycopg2://{_OWNER}@/{name}?host={self._socket}"


def missing() -> str:
    """Return what is missing to run it, empty if nothing."""
    return "" if any(_PROGRAMS.glob("*/bin/postgres")) else "no PostgreSQL"


@contextlib.contextmanager
def serving() -> Iterator[PostgreSQL]:
    """Run a server with an empty data directory and no network port."""
    if reason := missing():
        raise ServerFailed(f"{reason}: apt-get install postgresql")
    with tempfile.TemporaryDirectory(prefix="s3gw-pg-") as made:
        directory = pathlib.Path(made)
        if os.geteuid() == 0:
            shutil.chown(directory, _OWNER)
        data = directory / "data"
        initdb = _as_owner(_program("initdb"), "-D", data, "-A", "trust", "-U", _OWNER)
        run(initdb, cwd=directory)
        options = ["-D", str(data), "-k", made, "-c", "listen_addresses=", "-F"]
        command = _as_owner(_program("postgres"), *options)
        log = directory / "log"
        with Server("postgresql", command, log=log, cwd=directory) as server:
            # Its socket is there before it is ready.
            server.wait_for_program([_program("pg_isready"), "-q", "-h", directory])
            yield PostgreSQL(directory)


def _as_owner(*words: str | pathlib.Path) -> list[str | pathlib.Path]:
    """Return a command that is not root's."""
    if os.geteuid() != 0:
        return list(words)
    owner = [f"--reuid={_OWNER}", f"--regid={_OWNER}", "--clear-groups"]
    return ["setpriv", *owner, *words]


def _program(name: str) -> pathlib.Path:
    return max(_PROGRAMS.glob(f"*/bin/{name}"))

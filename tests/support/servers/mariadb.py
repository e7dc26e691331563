# SPDX-License-Identifier: Apache-2.0
"""A MariaDB on a unix socket: sqlite cannot take concurrent writes.

Debian's package ``mariadb-server-core`` has the programs.
"""

from __future__ import annotations

import contextlib
import getpass
import pathlib
import shutil
from collections.abc import Iterator

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import Cursor

from tests.support.servers.processes import Server
from tests.support.servers.processes import ServerFailed
from tests.support.servers.processes import run

PACKAGES = ("mariadb-server-core", "mariadb-client-core")


class MariaDB:
    """A running server."""

    def __init__(self, socket: pathlib.Path) -> None:
        self._socket = socket

    def create(self, name: str) -> str:
        """Create a database and return its URL for SQLAlchemy."""
        self.execute(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
        user = getpass.getuser()
        return f"mysql+pymysql://{user}@localhost/{name}?unix_socket={self._socket}"

    def connect(self, name: str) -> Connection[Cursor]:
        """Return a connection that sees what others write at once."""
        return pymysql.connect(
            unix_socket=str(self._socket),
            user=getpass.getuser(),
            database=name,
            autocommit=True,
        )

    def execute(self, statement: str) -> str:
        """Run SQL and return what the client prints, without headings."""
        options = ["--no-defaults", f"--socket={self._socket}", "-N", "-B"]
        return run(["mariadb", *options, "-e", statement]).stdout


@contextlib.contextmanager
def serving(directory: pathlib.Path) -> Iterator[MariaDB]:
    """Run a server with an empty data directory and no network port."""
    if not shutil.which("mariadbd"):
        raise ServerFailed(f"no mariadbd: apt-get install {' '.join(PACKAGES)}")
    directory.mkdir()
    user = getpass.getuser()
    run([
        "mariadb-install-db",
        "--no-defaults",
        f"--datadir={directory}",
        f"--tmpdir={directory.parent}",
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
        f"--user={user}",
    ])  # fmt: skip
    socket = directory / "socket"
    with Server(
        "mariadb",
        [
            "mariadbd",
            "--no-defaults",
            f"--datadir={directory}",
            f"--socket={socket}",
            f"--user={user}",
            "--skip-networking",
            "--max-connections=500",
            "--connect-timeout=60",  # a client may get no processor for long
            "--innodb-flush-log-at-trx-commit=0",
        ],
        log=directory / "log",
    ) as server:
        server.wait_for_path(socket)
        yield MariaDB(socket)

# SPDX-License-Identifier: Apache-2.0
"""A RabbitMQ from Debian's package, without systemd and without its own user."""

from __future__ import annotations

import contextlib
import pathlib
import shutil
from collections.abc import Iterator

from tests.support.servers.processes import Server
from tests.support.servers.processes import free_port

# The one in /usr/sbin changes to the user rabbitmq.
PROGRAM = pathlib.Path("/usr/lib/rabbitmq/bin/rabbitmq-server")

# Erlang's threads would otherwise spin while they have nothing to do.
_ERLANG = "+sbwt none +sbwtdcpu none +sbwtdio none"
_LOCAL = "-kernel inet_dist_use_interface {127,0,0,1}"


def missing() -> str:
    """Return what is missing to run it, empty if nothing."""
    if PROGRAM.exists() and shutil.which("epmd"):
        return ""
    return "no RabbitMQ: python3 tests/packages.py --full installs it"


@contextlib.contextmanager
def serving(directory: pathlib.Path) -> Iterator[str]:
    """Run one over an empty directory; yield its URL for oslo.messaging."""
    directory.mkdir(parents=True)
    port, names = free_port(), free_port()
    environment = _environment(directory, port, names)
    with (
        Server(
            "epmd",  # by which Erlang's nodes find each other
            ["epmd", "-port", str(names), "-address", "127.0.0.1"],
            log=directory / "epmd.log",
            env=environment,
        ) as epmd,
        Server(
            "rabbitmq", [PROGRAM], log=directory / "rabbitmq.log", env=environment
        ) as server,
    ):
        epmd.wait_for_port(names)
        server.wait_for_port(port, timeout=120)
        yield f"rabbit://guest:guest@127.0.0.1:{port}/"


def _environment(directory: pathlib.Path, port: int, names: int) -> dict[str, str]:
    rabbit = {
        "CONFIG_FILE": str(directory / "rabbitmq"),
        "CONF_ENV_FILE": "/dev/null",
        "DIST_PORT": str(free_port()),
        "ENABLED_PLUGINS_FILE": str(directory / "plugins"),
        "LOG_BASE": str(directory),
        "MNESIA_BASE": str(directory / "mnesia"),
        "NODENAME": "rabbit@localhost",
        "NODE_IP_ADDRESS": "127.0.0.1",
        "NODE_PORT": str(port),
        "PID_FILE": str(directory / "pid"),
        "SERVER_ADDITIONAL_ERL_ARGS": f"{_ERLANG} {_LOCAL}",
    }
    return {
        **{f"RABBITMQ_{name}": value for name, value in rabbit.items()},
        "ERL_EPMD_PORT": str(names),
        "HOME": str(directory),  # where the cookie is
    }

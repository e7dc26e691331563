# SPDX-License-Identifier: Apache-2.0
"""The shipped systemd unit: systemd parses it, and the test runs its commands."""

from __future__ import annotations

import configparser
import contextlib
import pathlib
import runpy
import shlex
import shutil
import signal
import socket
import time
from collections.abc import Iterator

import psutil
import pytest

from tests.support.clients.api import Api
from tests.support.servers import environments
from tests.support.servers.cloud import Cloud
from tests.support.servers.glance import ROOT
from tests.support.servers.identity import token
from tests.support.servers.processes import Server
from tests.support.servers.processes import free_port
from tests.support.servers.processes import run

pytestmark = pytest.mark.full

UNIT = ROOT / "etc" / "systemd" / "s3gateway-api.service"
ALICE = token("alice", "acme", "member", "reader")


def section() -> configparser.SectionProxy:
    parser = configparser.RawConfigParser(strict=False)  # lists are written in lines
    parser.read(UNIT)
    return parser["Service"]


def command() -> list[str]:
    """Return ``ExecStart`` with its program where it is installed here."""
    program, *arguments = shlex.split(section()["ExecStart"])
    installed = environments.bin_dir("gateway") / pathlib.Path(program).name
    return [str(installed), *arguments]


def complaints(directory: pathlib.Path, old: str = "", new: str = "") -> str:
    """Return what systemd says of the unit, with a text replaced."""
    analyze = shutil.which("systemd-analyze")
    assert analyze, "apt-get install systemd"
    start = f"ExecStart={section()['ExecStart']}"
    text = UNIT.read_text().replace(start, f"ExecStart={shlex.join(command())}")
    assert old in text
    (directory / UNIT.name).write_text(text.replace(old, new) if old else text)
    unit = str(directory / UNIT.name)
    return run([analyze, "verify", "--man=no", unit], check=False).stdout


@contextlib.contextmanager
def started(cloud: Cloud, directory: pathlib.Path) -> Iterator[tuple[Server, Api]]:
    """Do as systemd does with ``ExecStart`` and ``Type=notify``.

    gunicorn is told what the unit leaves to its shipped file, except for the port.
    """
    variable, _, _ = section()["Environment"].partition("=")
    port = free_port()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(str(directory / "notify"))
        notified.settimeout(60)
        with Server(
            UNIT.stem,
            command(),
            log=directory / "service.log",
            env={
                variable: str(cloud.standalone().directory / "s3gateway.conf"),
                "NOTIFY_SOCKET": str(directory / "notify"),
                "GUNICORN_CMD_ARGS": f"--bind=127.0.0.1:{port}",
                "PYTHONPATH": str(ROOT),
            },
            cwd=directory,
        ) as server:
            assert b"READY=1" in notified.recv(4096).splitlines()
            server.wait_for_url(f"http://127.0.0.1:{port}/healthcheck")
            yield server, Api(f"http://127.0.0.1:{port}", ALICE)


def workers(server: Server) -> set[int]:
    return {child.pid for child in psutil.Process(server.pid).children()}


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("", "", ""),
        ("KillMode=mixed", "KillMode=maybe", "Failed to parse kill mode"),
        ("ProtectHome", "ProtectHouse", "Unknown key"),
        ("s3gateway-api\n", "no-such-command\n", "is not executable"),
    ],
)
def test_systemd_reads_it(
    tmp_path: pathlib.Path, old: str, new: str, complaint: str
) -> None:
    found = complaints(tmp_path, old, new)
    assert complaint in found
    assert bool(found) == bool(complaint), found


def test_it_waits_for_the_transfers_that_gunicorn_waits_for() -> None:
    shipped = runpy.run_path(str(ROOT / "etc" / "gunicorn" / "s3gateway.py"))
    assert int(section()["TimeoutStopSec"]) > shipped["graceful_timeout"]


def test_its_commands(cloud: Cloud, tmp_path: pathlib.Path) -> None:
    """Start, reload and stop, by the signals that the unit names."""
    assert section()["Type"] == "notify"
    assert section()["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert section()["KillMode"] == "mixed"  # SIGTERM to the main process alone
    with started(cloud, tmp_path) as (server, api):
        image_id = api.create()
        assert api.upload(image_id, b"data").status == 204
        before = workers(server)
        server.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 60
        while not (now := workers(server)) or now & before:
            assert time.monotonic() < deadline, (before, now)
            time.sleep(0.1)
        assert api.download(image_id).body == b"data"
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(60) == 0

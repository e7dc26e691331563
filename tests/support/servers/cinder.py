# SPDX-License-Identifier: Apache-2.0
"""A real Cinder from PyPI: its four services over RabbitMQ, with volumes in Ceph."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import subprocess
import sysconfig
import time
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import requests

from tests.support.servers import ceph
from tests.support.servers import environments
from tests.support.servers import rabbitmq
from tests.support.servers.ceph import Ceph
from tests.support.servers.glance import Config
from tests.support.servers.glance import ini
from tests.support.servers.glance import merged
from tests.support.servers.keystone import ADMIN
from tests.support.servers.keystone import Keystone
from tests.support.servers.keystone import User
from tests.support.servers.processes import Server
from tests.support.servers.processes import ServerFailed
from tests.support.servers.processes import free_port
from tests.support.servers.processes import run

API = "cinder-api"
SERVICES = (API, "cinder-scheduler", "cinder-volume", "cinder-backup")
CINDER = User("cinder", "service")

_BINDINGS = pathlib.Path("/usr/lib/python3/dist-packages")
_PATIENCE = 600.0  # seconds
_STOP_TIME = 5.0  # seconds until SIGKILL


@dataclasses.dataclass(frozen=True, kw_only=True)
class Place:
    """What a Cinder stands on.

    :ivar database: the URL of an empty database
    :ivar broker: the URL of the message broker
    :ivar glance: the URL where it finds images
    """

    directory: pathlib.Path
    database: str
    broker: str
    keystone: Keystone
    glance: str
    ceph: Ceph


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cinder:
    """A running Cinder.

    :ivar servers: by the name of the service
    """

    url: str
    keystone: Keystone
    servers: Mapping[str, Server]

    def get(self, path: str, user: User = ADMIN) -> Any:
        """Return a document of its API."""
        return _get(f"{self.url}/v3/{path}", self.keystone.token(user))

    def wait_for(self, kind: str, name: str, user: User = ADMIN) -> dict[str, Any]:
        """Wait until a volume or a backup is available, and return it.

        :raises ServerFailed: if it is not, after a while or for ever
        """
        token = self.keystone.token(user)
        url = f"{self.url}/v3/{kind}s/{name}"
        _wait(lambda: _get(url, token)[kind]["status"] not in _ON_THE_WAY, name)
        found: dict[str, Any] = _get(url, token)[kind]
        if found["status"] != "available":
            raise ServerFailed(f"{kind} {name} is {found['status']}:\n{self.errors()}")
        return found

    def wait_until_gone(self, kind: str, name: str) -> None:
        """Wait until there is no such volume or backup."""
        headers = {"X-Auth-Token": self.keystone.token(ADMIN)}
        url = f"{self.url}/v3/{kind}s/{name}"

        def gone() -> bool:
            return requests.get(url, headers=headers, timeout=60).status_code == 404

        _wait(gone, f"end of {kind} {name}")

    def errors(self) -> str:
        """Return the errors in the logs of the services."""
        lines = [
            line
            for server in self.servers.values()
            for line in server.log.read_text(errors="replace").splitlines()
            if " ERROR " in line
        ]
        return "\n".join(lines)


_ON_THE_WAY = (
    "backing-up",
    "creating",
    "downloading",
    "restoring",
    "restoring-backup",
    "uploading",
)


def missing() -> str:
    """Return what is missing to run it, empty if nothing."""
    if os.geteuid() != 0:
        return "not root: Cinder would call sudo"
    if absent := [str(path) for path in _bindings() if not path.exists()]:
        return f"no {', '.join(absent)}: they are for Debian's own Python"
    return ceph.missing("rbd", "qemu-img") or rabbitmq.missing()


def backend(node: Ceph, pool: str = "volumes") -> dict[str, str]:
    """Return the section of a backend whose volumes are in Ceph."""
    # With a user, os-brick wants a keyring in /etc/ceph.
    return {
        "volume_driver": "cinder.volume.drivers.rbd.RBDDriver",
        "rbd_pool": pool,
        "rbd_ceph_conf": str(node.config),
        "rbd_user": "",
    }


@contextlib.contextmanager
def serving(place: Place, configs: Mapping[str, Config]) -> Iterator[Cinder]:
    """Run the services, and enter them into the catalog.

    :param configs: by the service; those that are not there are not run, and what
        depends on the place is added
    """
    for name in ("locks", "log", "state", "temporary"):
        (place.directory / name).mkdir(parents=True)
    bin_dir = environments.bin_dir("cinder-29")
    _link_bindings(bin_dir)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    place.keystone.add_service(CINDER, "block-storage", f"{url}/v3")
    ours = _config(place, bin_dir.parent, port)
    for name in configs:
        text = ini(merged(configs[name], ours))
        (place.directory / f"{name}.conf").write_text(text)
    file = place.directory / f"{API}.conf"
    run([bin_dir / "cinder-manage", "--config-file", file, "db", "sync"])
    servers: dict[str, Server] = {}
    try:
        for name in configs:
            servers[name] = _start(name, place.directory, bin_dir)
        servers[API].wait_for_url(url, timeout=_PATIENCE)
        cinder = Cinder(url=url, keystone=place.keystone, servers=servers)
        _wait_for_services(cinder)
        yield cinder
    finally:
        _stop(servers)


def _start(name: str, directory: pathlib.Path, bin_dir: pathlib.Path) -> Server:
    return Server(
        name,
        [bin_dir / name, "--config-file", directory / f"{name}.conf"],
        log=directory / "log" / f"{name}.out",
        env={
            "PATH": f"{bin_dir}:{os.environ['PATH']}",
            # os-brick leaves a directory there.
            "TMPDIR": str(directory / "temporary"),
        },
        cwd=directory,
    )


def _wait_for_services(cinder: Cinder) -> None:
    """Wait until the scheduler knows the others, and the backups their store."""

    def up() -> bool:
        services = cinder.get("os-services")["services"]
        states = {each["binary"]: each["state"] for each in services}
        return all(states.get(name) == "up" for name in cinder.servers if name != API)

    _wait(up, "services of Cinder")


def _wait(ready: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not ready():
        if time.monotonic() > deadline:
            raise ServerFailed(f"no {what} after {_PATIENCE} s")
        time.sleep(0.25)


def _stop(servers: Mapping[str, Server]) -> None:
    """Stop the services; backups take very long to end by themselves."""
    for server in servers.values():
        server.ask_to_stop()
    deadline = time.monotonic() + _STOP_TIME
    for server in servers.values():
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.process.wait(max(0, deadline - time.monotonic()))
        server.kill()


def _config(place: Place, home: pathlib.Path, port: int) -> Config:
    helper = {"helper_command": str(home / "bin" / "privsep-helper")}
    etc = home / "etc" / "cinder"
    return {
        "DEFAULT": {
            "my_ip": "127.0.0.1",
            "host": "cloud",
            "transport_url": place.broker,
            "auth_strategy": "keystone",
            "glance_api_servers": place.glance,
            "api_paste_config": str(etc / "api-paste.ini"),
            "rootwrap_config": str(etc / "rootwrap.conf"),
            "resource_query_filters_file": str(etc / "resource_filters.json"),
            "state_path": str(place.directory / "state"),
            "log_dir": "",
            "log_file": "",
            "use_stderr": "true",
            "osapi_volume_listen": "127.0.0.1",
            "osapi_volume_listen_port": str(port),
            "osapi_volume_workers": "1",
        },
        "database": {"connection": place.database},
        "keystone_authtoken": {
            **place.keystone.section(CINDER),
            "www_authenticate_uri": place.keystone.url,
        },
        "glance": place.keystone.section(CINDER),
        "oslo_concurrency": {"lock_path": str(place.directory / "locks")},
        # As root, nothing else calls sudo.
        "cinder_sys_admin": helper,
        "privsep_osbrick": helper,
    }


def _get(url: str, token: str) -> Any:
    answer = requests.get(url, headers={"X-Auth-Token": token}, timeout=60)
    answer.raise_for_status()
    return answer.json()


def _bindings() -> list[pathlib.Path]:
    """Return Debian's modules for Ceph, as this Python would load them."""
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    return [_BINDINGS / f"{name}{suffix}" for name in ("rados", "rbd")]


def _link_bindings(bin_dir: pathlib.Path) -> None:
    """Let an environment import Debian's modules for Ceph, and no others."""
    [packages] = (bin_dir.parent / "lib").glob("python3*/site-packages")
    for path in _bindings():
        with contextlib.suppress(FileExistsError):
            (packages / path.name).symlink_to(path)

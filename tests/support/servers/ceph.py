# SPDX-License-Identifier: Apache-2.0
"""A Ceph cluster of one node in userspace, from Debian's packages.

A monitor and one OSD; no manager, no systemd, no cephx, no kernel module.
"""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import shutil
from collections.abc import Iterator

from tests.support.servers.processes import Server
from tests.support.servers.processes import free_port
from tests.support.servers.processes import run

GIB = 1024**3

_FSID = "5b1a4f1e-5a77-4c11-8000-000000000001"
_OSD = "5b1a4f1e-5a77-4c11-8000-000000000002"

_CONFIG = """
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{port}]
ms mon client mode = secure crc
ms bind ipv6 = false
ms bind msgr1 = false
public addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
keyring = {directory}/keyring
run dir = {directory}
admin socket =
pid file =
log to stderr = true
log file = {directory}/$name.log
mon cluster log file = {directory}/cluster.log
mon data = {directory}/mon
mon allow pool size one = true
mon max pg per osd = 1000
osd data = {directory}/osd
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
"""
_MEMORY = """
osd journal =
osd objectstore = memstore
memstore device bytes = {size}
"""
# Its file is sparse.  The cache would otherwise grow with the memory of the machine.
_DISK = """
osd objectstore = bluestore
bluestore block create = true
bluestore block size = {size}
bluestore cache autotune = false
bluestore cache size = 67108864
"""

PROGRAMS = ("ceph", "ceph-mon", "ceph-osd", "monmaptool")


@dataclasses.dataclass(frozen=True)
class Ceph:
    """A running cluster.

    :ivar config: the file by which everything finds it
    """

    directory: pathlib.Path
    config: pathlib.Path

    def run(self, program: str, *words: str | pathlib.Path) -> str:
        """Run a program of Ceph's and return what it prints."""
        return run([program, "-c", self.config, *words]).stdout

    def create_pool(self, name: str) -> None:
        """Create a pool for block devices."""
        self.run("ceph", "osd", "pool", "create", name, "8")
        self.run("rbd", "pool", "init", name)

    def start(
        self, name: str, *words: str, config: pathlib.Path | None = None
    ) -> Server:
        """Start a daemon of the cluster."""
        return Server(
            name,
            [name, "-c", config or self.config, "-f", *words],
            log=self.directory / f"{name}.out",
        )


def missing(*programs: str) -> str:
    """Return what is missing to run it, empty if nothing.

    :param programs: what is needed beside those of a cluster
    """
    absent = [name for name in (*PROGRAMS, *programs) if not shutil.which(name)]
    if not absent:
        return ""
    return f"no {', '.join(absent)}: python3 tests/packages.py --full installs them"


@contextlib.contextmanager
def serving(
    directory: pathlib.Path, size: int = 4 * GIB, *, disk: bool = False
) -> Iterator[Ceph]:
    """Run a cluster over an empty directory.

    :param size: how much all objects may take, in bytes
    :param disk: whether objects are in a file; else they are in memory, holes too

    :raises ServerFailed: if a part of it does not start
    """
    for name in ("mon", "osd"):
        (directory / name).mkdir(parents=True)
    (directory / "keyring").touch()
    port = free_port()
    ceph = Ceph(directory, directory / "ceph.conf")
    values = {"fsid": _FSID, "directory": directory, "port": port, "size": size}
    text = _CONFIG + (_DISK if disk else _MEMORY)
    ceph.config.write_text(text.format(**values))
    monmap = directory / "monmap"
    create = ("--create", "--fsid", _FSID, "--addv", "a", f"[v2:127.0.0.1:{port}]")
    ceph.run("monmaptool", *create, monmap)
    ceph.run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap)
    with ceph.start("ceph-mon", "-i", "a") as monitor:
        monitor.wait_for_port(port)
        ceph.run("ceph", "osd", "new", _OSD)
        ceph.run("ceph-osd", "--mkfs", "-i", "0", "--osd-uuid", _OSD)
        with ceph.start("ceph-osd", "-i", "0"):
            yield ceph

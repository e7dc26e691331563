# SPDX-License-Identifier: Apache-2.0
"""Ceph's object gateway, from Debian's packages, over one node in memory.

A monitor, an OSD whose objects are in memory, and ``radosgw``; no manager, no
systemd, no cephx.
"""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import shutil
from collections.abc import Iterator

import trustme

from tests.support.s3.s3server import S3Server
from tests.support.servers.processes import Server
from tests.support.servers.processes import free_port
from tests.support.servers.processes import run

ACCESS_KEY = "RGWACCESSKEY00000001"
SECRET_KEY = "rgw/secret+key=0123456789abcdefghij"

_FSID = "5b1a4f1e-5a77-4c11-8000-000000000001"
_OSD = "5b1a4f1e-5a77-4c11-8000-000000000002"
_GIB = 1024**3

_CONFIG = """
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{mon_port}]
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
osd journal =
osd objectstore = memstore
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
memstore device bytes = {bytes}
rgw data = {directory}/rgw
rgw dns name = s3.localhost
# without tcp_nodelay every small GET takes 45 ms
rgw frontends = beast {listening} tcp_nodelay=1
# deleted objects fill the memory until they are collected
rgw gc obj min wait = 1
rgw gc processor period = 2
rgw gc processor max time = 2
rgw run sync thread = false
"""

PROGRAMS = ("ceph", "ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "monmaptool")


def missing() -> str:
    """Return what is missing to run it, empty if nothing."""
    programs = [name for name in PROGRAMS if not shutil.which(name)]
    if not programs:
        return ""
    return f"no {', '.join(programs)}: python3 tests/packages.py --full installs them"


@contextlib.contextmanager
def serving_tls(directory: pathlib.Path, memory: int = 4 * _GIB) -> Iterator[S3Server]:
    """Run it with TLS; the certificate is from a CA of its own.

    :raises ServerFailed: if a part of it does not start
    """
    directory.mkdir(parents=True)
    authority, cacert = trustme.CA(), directory / "ca.pem"
    authority.cert_pem.write_to_path(str(cacert))
    certificate = directory / "certificate.pem"
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_and_cert_chain_pem.write_to_path(str(certificate))
    port = free_port()
    tls = f"ssl_endpoint=127.0.0.1:{port} ssl_certificate={certificate}"
    with serving(directory / "rgw", memory, also=tls) as server:
        https = f"https://127.0.0.1:{port}"
        yield dataclasses.replace(server, endpoint=https, cacert=str(cacert))


@contextlib.contextmanager
def serving(
    directory: pathlib.Path, memory: int = 4 * _GIB, also: str = ""
) -> Iterator[S3Server]:
    """Run it over an empty directory.

    :param memory: how much all objects may take, in bytes
    :param also: where else it listens, in the words of its frontend

    :raises ServerFailed: if a part of it does not start
    """
    for name in ("mon", "osd", "rgw"):
        (directory / name).mkdir(parents=True)
    (directory / "keyring").touch()
    port, mon_port = free_port(), free_port()
    config = directory / "ceph.conf"
    values = {"fsid": _FSID, "directory": directory, "bytes": memory}
    listening = f"endpoint=127.0.0.1:{port} {also}".rstrip()
    config.write_text(_CONFIG.format(listening=listening, mon_port=mon_port, **values))
    address = f"[v2:127.0.0.1:{mon_port}]"
    monmap = directory / "monmap"
    create = ["--create", "--fsid", _FSID, "--addv", "a", address]
    run(["monmaptool", "-c", config, *create, monmap])
    run(["ceph-mon", "-c", config, "--mkfs", "-i", "a", "--monmap", monmap])
    with contextlib.ExitStack() as stack:
        monitor = _start(stack, "ceph-mon", ["-f", "-i", "a"], directory)
        monitor.wait_for_port(mon_port)
        run(["ceph", "-c", config, "osd", "new", _OSD])
        run(["ceph-osd", "-c", config, "--mkfs", "-i", "0", "--osd-uuid", _OSD])
        _start(stack, "ceph-osd", ["-f", "-i", "0"], directory)
        run([*_create_user(), "-c", config])
        gateway = _start(stack, "radosgw", ["-f", "-n", "client.rgw"], directory)
        gateway.wait_for_url(f"http://127.0.0.1:{port}/", timeout=120)
        yield S3Server(
            name="rgw",
            endpoint=f"http://127.0.0.1:{port}",
            access_key=ACCESS_KEY,
            secret_key=SECRET_KEY,
            processes=(gateway,),
        )


def _start(
    stack: contextlib.ExitStack, name: str, words: list[str], directory: pathlib.Path
) -> Server:
    command: list[str | pathlib.Path] = [name, "-c", directory / "ceph.conf", *words]
    log = directory / f"{name}.out"
    return stack.enter_context(Server(name, command, log=log))


def _create_user() -> list[str]:
    return [
        "radosgw-admin",
        "user",
        "create",
        "--uid=glance",
        "--display-name=glance",
        f"--access-key={ACCESS_KEY}",
        f"--secret-key={SECRET_KEY}",
    ]

# SPDX-License-Identifier: Apache-2.0
"""Ceph's object gateway, from Debian's packages, over a cluster of one node."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator

from tests.support.s3.s3server import S3Server
from tests.support.servers import ceph
from tests.support.servers.ceph import GIB
from tests.support.servers.ceph import Ceph
from tests.support.servers.processes import free_port

ACCESS_KEY = "RGWACCESSKEY00000001"
SECRET_KEY = "rgw/secret+key=0123456789abcdefghij"

_CONFIG = """
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

PROGRAMS = ("radosgw", "radosgw-admin")


def missing() -> str:
    """Return what is missing to run it, empty if nothing."""
    return ceph.missing(*PROGRAMS)


@contextlib.contextmanager
def serving(
    directory: pathlib.Path, memory: int = 4 * GIB, also: str = ""
) -> Iterator[S3Server]:
    """Run it and a cluster of its own, over an empty directory.

    :param memory: how much all objects may take, in bytes
    :param also: where else it listens, in the words of its frontend

    :raises ServerFailed: if a part of it does not start
    """
    with ceph.serving(directory, memory) as node, on(node, also) as server:
        yield server


@contextlib.contextmanager
def on(node: Ceph, also: str = "") -> Iterator[S3Server]:
    """Run it on a cluster that there is.

    :param also: as for ``serving``
    """
    (node.directory / "rgw").mkdir()
    port = free_port()
    config = node.directory / "rgw.conf"
    listening = f"endpoint=127.0.0.1:{port} {also}".rstrip()
    ours = _CONFIG.format(directory=node.directory, listening=listening)
    config.write_text(node.config.read_text() + ours)
    node.run("radosgw-admin", *_create_user())
    with node.start("radosgw", "-n", "client.rgw", config=config) as gateway:
        gateway.wait_for_url(f"http://127.0.0.1:{port}/", timeout=120)
        yield S3Server(
            name="rgw",
            endpoint=f"http://127.0.0.1:{port}",
            access_key=ACCESS_KEY,
            secret_key=SECRET_KEY,
            processes=(gateway,),
        )


def _create_user() -> list[str]:
    return [
        "user",
        "create",
        "--uid=glance",
        "--display-name=glance",
        f"--access-key={ACCESS_KEY}",
        f"--secret-key={SECRET_KEY}",
    ]

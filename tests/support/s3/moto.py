# SPDX-License-Identifier: Apache-2.0
"""Moto's S3, which keeps everything in memory and believes every signature."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator

from tests.support.s3.s3server import S3Server
from tests.support.servers import environments
from tests.support.servers.processes import Server
from tests.support.servers.processes import free_port


@contextlib.contextmanager
def serving(directory: pathlib.Path) -> Iterator[S3Server]:
    """Run it."""
    directory.mkdir(parents=True)
    port = free_port()
    program = environments.bin_dir("moto") / "moto_server"
    command: list[str | pathlib.Path] = [program, "-H", "127.0.0.1", "-p", str(port)]
    env = {"MOTO_S3_CUSTOM_ENDPOINTS": f"http://127.0.0.1:{port}"}
    with Server("moto", command, log=directory / "moto.log", env=env) as server:
        server.wait_for_port(port)
        yield S3Server(
            name="moto",
            endpoint=f"http://127.0.0.1:{port}",
            access_key="MOTOACCESSKEY0001",
            secret_key="moto/secret+key=0123456789abcdef",
        )

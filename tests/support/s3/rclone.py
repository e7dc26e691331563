# SPDX-License-Identifier: Apache-2.0
"""``rclone serve s3``: an S3 server that ignores conditional writes."""

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
    """Run it over a directory."""
    (directory / "buckets").mkdir(parents=True)
    port = free_port()
    keys = ("RCLONEACCESSKEY01", "rclone/secret+key=0123456789abcd")
    program = environments.bin_dir("rclone") / "rclone"
    command: list[str | pathlib.Path] = [
        program,
        "serve",
        "s3",
        f"--addr=127.0.0.1:{port}",
        f"--config={directory}/rclone.conf",
        directory / "buckets",
    ]
    env = {"RCLONE_AUTH_KEY": f'"{",".join(keys)}"'}  # a list, as CSV
    with Server("rclone", command, log=directory / "rclone.log", env=env) as server:
        server.wait_for_port(port)
        yield S3Server("rclone", f"http://127.0.0.1:{port}", *keys)

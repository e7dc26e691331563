# SPDX-License-Identifier: Apache-2.0
"""Versity's S3 gateway over a directory, built from its Go module."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator

from tests.support.s3 import gobuild
from tests.support.s3.s3server import S3Server
from tests.support.servers.processes import Server
from tests.support.servers.processes import free_port

PROGRAM = gobuild.Program(
    "versitygw", "github.com/versity/versitygw/cmd/versitygw", "v1.8.0"
)

ACCESS_KEY = "VERSITYACCESSKEY"
SECRET_KEY = "versity/secret+key=0123456789abcde"


def missing() -> str:
    """Return what is missing to run it, empty if nothing."""
    return PROGRAM.missing()


@contextlib.contextmanager
def serving(directory: pathlib.Path, region: str = "us-east-1") -> Iterator[S3Server]:
    """Run it over an empty directory.

    :param region: where it is
    """
    data, sidecar = directory / "data", directory / "sidecar"
    for each in (data, sidecar):
        each.mkdir(parents=True)
    port = free_port()
    env = {
        "ROOT_ACCESS_KEY": ACCESS_KEY,
        "ROOT_SECRET_KEY": SECRET_KEY,
        "HOME": str(directory),
    }
    command: list[str | pathlib.Path] = [
        PROGRAM.build(),
        f"--port=127.0.0.1:{port}",
        f"--region={region}",
        "--health=/health",
        "posix",
        # What it knows of an object; not every file system has extended attributes.
        f"--sidecar={sidecar}",
        data,
    ]
    log = directory / "versitygw.log"
    with Server("versitygw", command, log=log, env=env) as server:
        server.wait_for_url(f"http://127.0.0.1:{port}/health")
        yield S3Server(
            name="versity",
            endpoint=f"http://127.0.0.1:{port}",
            access_key=ACCESS_KEY,
            secret_key=SECRET_KEY,
            region=region,
            processes=(server,),
        )


if __name__ == "__main__":
    print(f"versitygw: {PROGRAM.build()}")

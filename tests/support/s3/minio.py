# SPDX-License-Identifier: Apache-2.0
"""MinIO, built from its Go module; its makers publish no programs any more."""

from __future__ import annotations

import base64
import contextlib
import pathlib
from collections.abc import Iterator

from tests.support.s3 import gobuild
from tests.support.s3.s3server import S3Server
from tests.support.servers.processes import Server
from tests.support.servers.processes import free_port

PROGRAM = gobuild.Program(
    "minio",
    "github.com/minio/minio",
    "v0.0.0-20260212201848-7aac2a2c5b7c",  # the last commit of the archive
)

ACCESS_KEY = "MINIOACCESSKEY01"
SECRET_KEY = "minio/secret+key=0123456789abcdef"


def missing() -> str:
    """Return what is missing to run it, empty if nothing."""
    return PROGRAM.missing()


def build() -> pathlib.Path:
    """Return the program, after building it if needed, which takes minutes."""
    return PROGRAM.build()


@contextlib.contextmanager
def serving(
    directory: pathlib.Path,
    region: str = "",
    keys: tuple[str, str] = (ACCESS_KEY, SECRET_KEY),
) -> Iterator[S3Server]:
    """Run it over an empty directory.

    :param region: where it is; nowhere if empty
    :param keys: of its user
    """
    (directory / "data").mkdir(parents=True)
    port, console = free_port(), free_port()
    env = {
        "MINIO_ROOT_USER": keys[0],
        "MINIO_ROOT_PASSWORD": keys[1],
        "MINIO_REGION": region,
        "MINIO_DOMAIN": "s3.localhost",
        "MINIO_KMS_SECRET_KEY": f"images-key:{base64.b64encode(bytes(32)).decode()}",
        "MINIO_UPDATE": "off",
        "MINIO_BROWSER": "off",
        "HOME": str(directory),
    }
    command: list[str | pathlib.Path] = [
        build(),
        "server",
        f"--address=127.0.0.1:{port}",
        f"--console-address=127.0.0.1:{console}",
        directory / "data",
    ]
    with Server("minio", command, log=directory / "minio.log", env=env) as server:
        server.wait_for_url(f"http://127.0.0.1:{port}/minio/health/ready")
        yield S3Server(
            name="minio",
            endpoint=f"http://127.0.0.1:{port}",
            access_key=keys[0],
            secret_key=keys[1],
            region=region,
            processes=(server,),
        )


if __name__ == "__main__":
    print(f"minio: {build()}")

# SPDX-License-Identifier: Apache-2.0
"""A face under gunicorn that writes down what it is asked, and Glance's driver."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import boto3
import trustme
from botocore.config import Config

from tests.support.face.recording import BUCKET
from tests.support.servers import environments
from tests.support.servers.glance import ini
from tests.support.servers.processes import Server
from tests.support.servers.processes import free_port

THREADS = 16
WORKER = "s3gateway.standalone.worker.Worker"
DRIVER = pathlib.Path(__file__).with_name("driver.py")
ACCESS_KEY, SECRET_KEY = "FACEKEY", "a-secret/of+the=face/for-the-driver"


class Ground:
    """A face that writes down what it is asked.

    :ivar url: of the face
    :ivar cacert: of its certificate, over TLS
    :param worker: gunicorn's class
    """

    def __init__(
        self, directory: pathlib.Path, scheme: str, worker: str = WORKER
    ) -> None:
        self._directory = directory
        self._port = free_port()
        self.url = f"{scheme}://localhost:{self._port}"
        self.cacert = directory / "ca.pem"
        self.record = directory / "record"
        keys = directory / "face-keys"
        keys.write_text(f"{ACCESS_KEY} {SECRET_KEY}\n")
        keys.chmod(0o600)
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.cacert))
        certificate = authority.issue_cert("localhost")
        pem = directory / "face.pem"
        certificate.private_key_and_cert_chain_pem.write_to_path(str(pem))
        tls = [f"--certfile={pem}", f"--keyfile={pem}"] if scheme == "https" else []
        self.server = Server(
            "face",
            [
                sys.executable,
                "-m",
                "gunicorn",
                f"--worker-class={worker}",
                f"--threads={THREADS}",
                f"--bind=127.0.0.1:{self._port}",
                *tls,
                "tests.support.face.recording:application",
            ],
            log=directory / "face.log",
            env={
                "PYTHONPATH": str(environments.ROOT),
                "FACE_KEYS": str(keys),
                "FACE_RECORD": str(self.record),
            },
        )

    def client(self, **options: Any) -> Any:
        """Return boto3's client, as one of the face.

        :param options: of its ``Config``
        """
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            region_name="us-east-1",
            verify=str(self.cacert),
            config=Config(s3={"addressing_style": "path"}, **options),
        )

    def config(self, **options: str) -> pathlib.Path:
        """Write the driver's configuration."""
        store = {
            "s3_store_host": self.url,
            "s3_store_access_key": ACCESS_KEY,
            "s3_store_secret_key": SECRET_KEY,
            "s3_store_bucket": BUCKET,
            "s3_store_create_bucket_on_put": "true",
            "s3_store_bucket_url_format": "path",
            "s3_store_large_object_size": "8",
            "s3_store_large_object_chunk_size": "5",
            **options,
        }
        path = self._directory / "glance-api.conf"
        path.write_text(
            ini(
                {
                    "DEFAULT": {"enabled_backends": "fast:s3, other:s3"},
                    "glance_store": {"default_backend": "fast"},
                    "fast": store,
                    "other": {**store, "s3_store_bucket": "no-bucket"},
                }
            )
        )
        return path

    def wait(self) -> None:
        """Wait until the face answers."""
        self.server.wait_for_port(self._port)

    def run(self, python: pathlib.Path, **options: str) -> Iterator[tuple[str, object]]:
        """Let the driver take its steps; yield each with its outcome."""
        self.wait()
        with subprocess.Popen(
            [str(python), str(DRIVER), str(self.config(**options))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={
                "AWS_CA_BUNDLE": str(self.cacert),
                "AWS_EC2_METADATA_DISABLED": "true",
            },
        ) as driver:
            assert driver.stdin is not None
            assert driver.stdout is not None
            for line in driver.stdout:
                name, outcome = json.loads(line)
                yield name, outcome
                driver.stdin.write("\n")
                driver.stdin.flush()
        assert driver.returncode == 0

    def asked(self) -> list[tuple[str, int]]:
        """Return the requests since the last call, with the statuses of the answers."""
        if not self.record.exists():
            return []
        lines = self.record.read_text().splitlines()
        self.record.write_text("")
        return [(asked, status) for asked, status in map(json.loads, lines)]

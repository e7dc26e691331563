# SPDX-License-Identifier: Apache-2.0
"""A running S3 server, and an S3 client that is not our code."""

from __future__ import annotations

import dataclasses
from typing import Any

import boto3
from botocore.config import Config

from tests.support.servers.processes import Server


@dataclasses.dataclass(frozen=True)
class S3Server:
    """An S3 server for tests, with the keys of one user.

    :ivar cacert: a file with the CA certificate of an https endpoint
    :ivar processes: what may be killed and started again without a loss of data
    """

    name: str
    endpoint: str
    access_key: str
    secret_key: str
    region: str = ""
    cacert: str = ""
    processes: tuple[Server, ...] = ()

    def kill(self) -> None:
        """Kill its processes, all at once."""
        assert self.processes, f"nothing of {self.name} may be killed"
        for process in self.processes:
            process.kill()

    def start_again(self) -> None:
        """Start them again on the same ports, and wait until it answers."""
        for process in self.processes:
            process.start_again()
        for process in self.processes:
            process.wait_for_url(self.endpoint, timeout=120)

    def client(self) -> Any:
        """Return a plain boto3 client for it."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            verify=self.cacert or None,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name=self.region or "us-east-1",
            config=Config(
                s3={"addressing_style": "path"},
                retries={"total_max_attempts": 1},
            ),
        )

# SPDX-License-Identifier: Apache-2.0
"""A sealed gateway: the keys of S3 are in its own configuration and nowhere else."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import boto3
import psutil
from botocore.config import Config as ClientConfig

from tests.support.clients.api import Api
from tests.support.faults.faultproxy import FaultProxy
from tests.support.faults.through import IMPATIENT
from tests.support.servers import standalone
from tests.support.servers.cloud import Cloud
from tests.support.servers.glance import Config
from tests.support.servers.glance import Glance
from tests.support.servers.glance import merged
from tests.support.servers.processes import free_port
from tests.support.servers.standalone import FACE_KEYS
from tests.support.servers.standalone import Gateway
from tests.support.servers.standalone import GatewaySpec


@dataclasses.dataclass(frozen=True)
class Sealed:
    """A stock Glance, a gateway before it and behind it, a proxy, and S3.

    :ivar url: of the face
    :ivar proxy: between the gateway and S3
    """

    cloud: Cloud
    glance: Glance
    gateway: Gateway
    proxy: FaultProxy
    url: str

    def users(self, token: str) -> Api:
        """Return a client of the gateway, as users have."""
        return Api(self.gateway.url, token)

    def stock(self, token: str) -> Api:
        """Return a client of Glance itself, which knows no key of S3."""
        return Api(self.glance.url, token)

    def driver(self, **changes: Any) -> Any:
        """Return a client of the face that is not our code."""
        options: dict[str, Any] = {
            "endpoint_url": self.url,
            "aws_access_key_id": FACE_KEYS[0],
            "aws_secret_access_key": FACE_KEYS[1],
            "region_name": "us-east-1",
            "config": ClientConfig(
                s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}
            ),
            **changes,
        }
        return boto3.client("s3", **options)

    def bucket(self, store: str = "fast") -> str:
        return self.cloud.bucket(store)

    def worker(self) -> psutil.Process:
        """Return the process that serves requests."""
        [worker] = psutil.Process(self.gateway.server.pid).children()
        return worker

    def asked(self, key: str) -> list[str]:
        """Return the methods and queries of the requests to S3 about a key."""
        return [
            f"{request.method} {request.query.partition('=')[0]}".strip()
            for request in self.proxy.requests
            if key in request.path
        ]


@contextlib.contextmanager
def serving(
    cloud: Cloud,
    *arguments: str,
    most: int = 48,
    flavor: str = "keystone",
    glance_config: Config | None = None,
    env: Mapping[str, str] | None = None,
    tls: str = "",
    **options: str,
) -> Iterator[Sealed]:
    """Run a sealed gateway and its Glance.

    :param arguments: gunicorn's
    :param most: requests to the image API at once
    :param flavor: of Glance's paste file
    :param glance_config: further options of Glance
    :param env: further variables of the gateway's environment
    :param tls: a file with the private key and the certificate of the gateway
    :param options: of the section ``s3gateway``
    """
    port = free_port()
    url = GatewaySpec(tls=tls).url(port)
    real = cloud.stores()
    config = merged(standalone.behind_face(url), glance_config or {})
    glance = cloud.glance(gateway=False, config=config, flavor=flavor)
    with FaultProxy(cloud.s3.endpoint) as proxy:
        stores: Config = {
            name: {**real[name], "s3_store_host": proxy.endpoint}
            for name in ("fast", "cheap")
        }
        release = {"glance_release": str(cloud.release)}
        spec = GatewaySpec(
            face=port,
            tls=tls,
            most=most,
            arguments=arguments,
            env=env or {},
            config={**stores, "s3gateway": {**IMPATIENT, **release, **options}},
        )
        gateway = cloud.standalone(spec, config=config, flavor=flavor)
        yield Sealed(cloud, glance, gateway, proxy, url)

# SPDX-License-Identifier: Apache-2.0
"""Readiness and liveness of a real Glance whose S3 server is stopped."""

from __future__ import annotations

import pathlib
from urllib import parse

from tests.support.clients.api import Api
from tests.support.faults.faultproxy import FaultProxy
from tests.support.faults.wronganswers import SlowDown
from tests.support.hidden import hidden
from tests.support.s3 import swift
from tests.support.servers import environments
from tests.support.servers.cloud import Cloud

READY = (
    "paste.app_factory = oslo_middleware:Healthcheck.app_factory\n"
    "backends = disable_by_file, s3gateway"
)


HEALTH = {"ready_when": "all", "health_interval": "0"}


def test_a_store_that_is_stopped(cloud: Cloud, workspace: pathlib.Path) -> None:
    """Each request asks the stores once: there is no interval, and one process."""
    with FaultProxy(cloud.s3.endpoint) as proxy:
        config = {"fast": {"s3_store_host": proxy.endpoint}, "s3gateway": HEALTH}
        glance = cloud.glance(gateway=True, config=config, apps={"/ready": READY})
        api = Api(glance.url)

        def ready(times: int) -> list[int]:
            return [api.request("GET", "/ready").status for _ in range(times)]

        home = workspace / "stopped"
        with swift.serving(environments.bin_dir("swift"), home) as server:
            parts = parse.urlsplit(server.endpoint)
            there, proxy.target = proxy.target, (str(parts.hostname), parts.port or 80)
            assert ready(2) == [200, 200]
            fault = proxy.add(SlowDown(), times=2)
            assert ready(4) == [200] * 4
            assert len(fault.events) == 2
        assert ready(4) == [200, 200, 503, 503]
        answer = api.request("GET", "/ready")
        assert b"S3 stores: cheap up, fast down" in answer.body
        assert api.request("GET", "/healthcheck").status == 200
        proxy.target = there
        assert ready(3) == [503, 200, 200]
    assert "Store fast is down" in glance.log
    assert "Store fast is up" in glance.log
    ours = [line for line in glance.log.splitlines() if "s3gateway.healthcheck" in line]
    assert hidden(cloud).found_in("\n".join(ours)) == []

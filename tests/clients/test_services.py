# SPDX-License-Identifier: Apache-2.0
"""Nova's and Cinder's own image code."""

from __future__ import annotations

import json
import pathlib
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.clients.api import Api
from tests.support.faults.faultproxy import FaultProxy
from tests.support.faults.wronganswers import SlowDown
from tests.support.servers import environments
from tests.support.servers.cloud import Cloud
from tests.support.servers.glance import ROOT
from tests.support.servers.glance import ini
from tests.support.servers.keystone import ALICE
from tests.support.servers.keystone import Keystone
from tests.support.servers.processes import run

pytestmark = pytest.mark.full

HERE = pathlib.Path(__file__).parent
SNIPPETS = ROOT / "docs" / "source" / "snippets"
OPTIONS = {
    "nova": {"glance": {"num_retries": "2"}},
    "cinder": {"DEFAULT": {"glance_num_retries": "2", "auth_strategy": "keystone"}},
}

Service = Callable[..., dict[str, Any]]


@pytest.fixture
def service(keystone: Keystone, disk: pathlib.Path, tmp_path: pathlib.Path) -> Service:
    """Let Nova or Cinder work for alice; return what it says about it."""

    def service(name: str, **how: Any) -> dict[str, Any]:
        config = tmp_path / f"{name}.conf"
        config.write_text(ini(OPTIONS[name]))
        order = {
            **keystone.context(ALICE),
            "config": str(config),
            "disk": str(disk),
            "saved": str(tmp_path / "saved"),
            **how,
        }
        program = HERE / f"{name}_service.py"
        python = environments.bin_dir("services") / "python"
        file = tmp_path / "order.json"
        file.write_text(json.dumps(order))
        done = run([python, "-W", "ignore", program, file])
        found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        return found

    return service


def test_nova(
    service: Service, alice: Api, disk: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    found = service("nova")
    assert "error" not in found, found
    assert found["status"] == "active"
    assert found["listed"]
    assert (tmp_path / "saved").read_bytes() == disk.read_bytes()
    assert alice.download(found["id"]).body == disk.read_bytes()
    assert found["empty"] == "active"
    assert alice.show(found["empty id"])["size"] == 0


@pytest.mark.parametrize("store", ["fast", "cheap", "local"])
def test_cinder(
    service: Service,
    alice: Api,
    disk: pathlib.Path,
    tmp_path: pathlib.Path,
    store: str,
) -> None:
    found = service("cinder", store=store)
    assert "error" not in found, found
    assert found["status"] == "active"
    assert alice.show(found["id"])["stores"] == store
    assert (tmp_path / "saved").read_bytes() == disk.read_bytes()
    if store != "local":
        assert set(found["locations"]) == {f"s3://{store}/{found['id']}"}


@pytest.mark.parametrize("name", ["nova", "cinder"])
def test_a_body_is_not_sent_twice(
    cloud: Cloud, keystone: Keystone, service: Service, name: str
) -> None:
    """The retry trap: a second attempt would send the rest of a file, or nothing."""
    with FaultProxy(cloud.s3.endpoint) as proxy:
        gateway = cloud.identified(
            keystone,
            {
                "fast": {"s3_store_host": proxy.endpoint},
                "s3gateway": {"retry_time": "1"},
                "service_user": keystone.section(),
            },
        )
        fault = proxy.add(SlowDown(), method="PUT", query="partNumber=2", times=None)
        context = keystone.context(ALICE)
        for each in context["catalog"]:
            if each["type"] == "image":
                each["endpoints"][0].update(
                    publicURL=gateway.url, internalURL=gateway.url
                )
        found = service(name, fails=True, **context)
        assert fault.events
        keys = {
            match.group()
            for request in proxy.requests
            if (match := re.search(rf"{found['id']}\.[0-9a-f]+", request.path))
        }
    assert found["error"]
    assert found["status"] == "queued"
    assert len(keys) == 1, keys


@pytest.mark.parametrize(
    ("name", "section", "expected"),
    [
        (
            "cinder-image-volume-cache.conf",
            "lvm",
            {"image_volume_cache_enabled": True, "image_volume_cache_max_count": 50},
        ),
        (
            "cinder-backup.conf",
            "DEFAULT",
            {"backup_s3_endpoint_url": "https://s3.example.org"},
        ),
    ],
)
def test_cinder_knows_the_options_that_are_shown(
    name: str, section: str, expected: dict[str, Any]
) -> None:
    python = environments.bin_dir("services") / "python"
    program, snippet = HERE / "cinder_options.py", SNIPPETS / name
    done = run([python, "-W", "ignore", program, snippet])
    found = json.loads(done.stdout.strip().splitlines()[-1])
    assert expected.items() <= found[section].items()

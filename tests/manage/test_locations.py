# SPDX-License-Identifier: Apache-2.0
"""s3gateway-manage locations audit and scrub, beside a real Glance."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.support import tiers
from tests.support.people import ALICE
from tests.support.servers.cloud import Cloud
from tests.support.servers.glance import Glance
from tests.support.servers.processes import run


@pytest.fixture
def old_images(clouds: Callable[[int], Cloud]) -> Callable[[int], Cloud]:
    """Clouds with four images, two of whose locations hold an old key."""

    def cloud(release: int) -> Cloud:
        cloud = clouds(release)
        api = cloud.api(ALICE, gateway=True)
        cloud.sql("DELETE FROM image_locations")
        host = cloud.s3.endpoint.partition("//")[2]
        for number in range(4):
            image_id = api.create(os_hidden=number == 3)
            assert api.upload(image_id, b"data").status == 204
            user = "OLDKEYID:old/secret+key=0123456789@" if number % 2 else ""
            uri = f"s3://{user}{host}/{cloud.bucket('fast')}/{image_id}"
            cloud.sql(
                f"UPDATE image_locations SET value='{uri}' "  # noqa: S608
                f"WHERE image_id='{image_id}'"
            )
        return cloud

    return cloud


def manage(
    running: Glance, cloud: Cloud, *words: str
) -> subprocess.CompletedProcess[str]:
    config = running.directory / "glance-api.conf"
    command = cloud.bin_dir / "s3gateway-manage"
    return run([command, "--config-file", config, *words], check=False)


def result(done: subprocess.CompletedProcess[str]) -> Any:
    """Return the JSON that is behind Glance's log lines."""
    return json.loads(done.stdout[done.stdout.index("\n{\n") :])


@pytest.mark.parametrize("release", tiers.but([33], [30, 33]))
def test_audit_counts_keys_and_shows_no_secret(
    old_images: Callable[[int], Cloud], release: int
) -> None:
    cloud = old_images(release)
    done = manage(cloud.glance(gateway=True), cloud, "locations", "audit", "--json")
    assert done.returncode == 1, done.stdout
    found = result(done)
    row = {"store": "fast", "key_id": "OLDKEYID", "locations": 2, "state": "in_use"}
    assert row in found["rows"]
    assert found["summary"] == "2 of 4 S3 locations hold credentials"
    assert "old/secret" not in done.stdout
    table = manage(cloud.glance(gateway=True), cloud, "locations", "audit").stdout
    assert "fast   OLDKEYID  2" in table
    words = ("locations", "audit", "--images", "--store", "fast", "--json")
    rows = result(manage(cloud.glance(gateway=True), cloud, *words))["rows"]
    listed = {row["image"] for row in rows if row["key_id"]}
    held = "SELECT image_id FROM image_locations WHERE value LIKE '%OLDKEYID%'"
    assert sorted(listed) == sorted(cloud.sql(held).split())
    done = manage(cloud.glance(gateway=True), cloud, *words, "--store", "slow")
    assert done.returncode == 2


def test_scrub_takes_them_out_on_33(old_images: Callable[[int], Cloud]) -> None:
    cloud = old_images(33)
    running = cloud.glance(gateway=True)
    done = manage(running, cloud, "locations", "scrub")
    assert done.returncode == 0, done.stdout
    assert "2 images rewritten, 0 left" in done.stdout
    assert "updated_at" in done.stdout
    assert "OLDKEYID" not in cloud.sql("SELECT value FROM image_locations")
    assert manage(running, cloud, "locations", "audit").returncode == 0


@pytest.mark.full
def test_scrub_refuses_where_glance_needs_the_keys(
    old_images: Callable[[int], Cloud],
) -> None:
    cloud = old_images(30)
    done = manage(cloud.glance(gateway=True), cloud, "locations", "scrub")
    assert done.returncode == 3, done.stdout
    assert "Upgrade first" in done.stdout
    assert "OLDKEYID" in cloud.sql("SELECT value FROM image_locations")


def test_a_wrong_configuration_and_a_wrong_command(cloud: Cloud) -> None:
    running = cloud.glance(gateway=True)
    assert manage(running, cloud, "locations", "burn").returncode == 2
    command = cloud.bin_dir / "s3gateway-manage"
    words = ["--config-file", "/nowhere.conf", "locations", "audit"]
    done = run([command, *words], check=False)
    assert done.returncode == 2
    assert "/nowhere.conf" in done.stdout

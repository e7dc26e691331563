# SPDX-License-Identifier: Apache-2.0
"""s3gateway-manage selftest, through a Glance with the gateway and one without."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from tests.support.hidden import hidden
from tests.support.people import ADMIN
from tests.support.people import ALICE
from tests.support.s3.memory import MemoryStore
from tests.support.s3.memory import store_settings
from tests.support.servers import environments
from tests.support.servers import web
from tests.support.servers.cloud import Cloud
from tests.support.servers.glance import Config
from tests.support.servers.image_service import TOKEN
from tests.support.servers.image_service import ImageService
from tests.support.servers.keystone import ALICE as ALICE_OF_KEYSTONE
from tests.support.servers.keystone import PASSWORD
from tests.support.servers.keystone import Keystone
from tests.support.servers.manage import Manage
from tests.support.servers.manage import Result
from tests.support.servers.manage import parsed
from tests.support.servers.manage import user
from tests.support.servers.processes import run
from tests.support.servers.standalone import Gateway

STEPS = [
    "create", "upload", "show", "download", "range", "gateway", "masks", "delete",
    "gone",
]  # fmt: skip


def steps(done: Result) -> dict[str, dict[str, Any]]:
    return {row["step"]: row for row in done.rows}


def wrong(done: Result) -> dict[str, str]:
    return {row["step"]: row["state"] for row in done.rows if row["state"] != "ok"}


@pytest.fixture
def untouched(managed: Manage) -> Any:
    """Nothing is left, in the bucket nor in Glance."""
    kept = set(managed.cloud.kept())
    yield
    assert set(managed.cloud.kept()) == kept
    left = "SELECT COUNT(*) FROM images WHERE deleted = 0 AND name = %s"
    managed.cloud.rows("ROLLBACK")
    assert managed.cloud.rows(left, "s3gateway-manage selftest") == ((0,),)


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("words", [(), ("--size", "12", "--store", "cheap")])
def test_a_user_of_a_cloud_with_the_gateway(
    managed: Manage, words: tuple[str, ...]
) -> None:
    """The second is sent in parts."""
    done = managed("selftest", *words, env=user(managed.glance.url, ALICE))
    assert done.code == 0, done.text
    assert list(steps(done)) == STEPS
    assert wrong(done) == {}
    assert steps(done)["gone"]["detail"] == "the image and its object are gone"
    took = steps(done)["gateway"]["detail"]
    assert took == "the gateway took the data and handed it out"
    shown = steps(done)["show"]["detail"]
    assert f"active in {'cheap' if words else 'fast'}" in shown
    assert "locations are shown" in shown
    assert hidden(managed.cloud).found_in(str(done.rows)) == []


@pytest.mark.usefixtures("untouched")
def test_an_admin_is_told_the_version(managed: Manage) -> None:
    done = managed("selftest", "--size", "1", env=user(managed.glance.url, ADMIN))
    assert done.code == 0, done.text
    assert steps(done)["gateway"]["detail"].startswith("s3gateway ")


@pytest.mark.usefixtures("untouched")
def test_a_glance_without_the_gateway(managed: Manage) -> None:
    """The user of the configuration asks it, at an address of its own."""
    stock = managed.cloud.glance(gateway=False)
    nowhere = "http://127.0.0.1:9"
    who = {"auth_type": "admin_token", "endpoint": nowhere, "token": ALICE}
    config: Config = {"service_user": who}
    done = managed("selftest", "--url", stock.url, config=config)
    assert done.code == 1, done.text
    assert wrong(done) == {"range": "error", "gateway": "error", "masks": "error"}
    assert "the filter is not in the pipeline" in steps(done)["gateway"]["detail"]
    assert "shows the host of store fast" in steps(done)["masks"]["detail"]
    assert hidden(managed.cloud).found_in(str(done.rows)) == []


@pytest.mark.usefixtures("untouched")
def test_a_store_that_is_not_in_s3(managed: Manage) -> None:
    words = ("selftest", "--size", "1", "--store", "local")
    done = managed(*words, env=user(managed.glance.url, ALICE))
    assert done.code == 1, done.text
    assert "or the store is not in S3" in steps(done)["gateway"]["detail"]
    assert steps(done)["gone"]["state"] == "ok"


@pytest.mark.parametrize("cloud", ["mine", "another"])
def test_a_cloud_of_clouds_yaml(tmp_path: pathlib.Path, cloud: str) -> None:
    """Read by the real openstacksdk; the image service is one in memory."""
    service = ImageService(MemoryStore(store_settings(bucket="images-of-glance")))
    config = tmp_path / "glance-api.conf"
    config.write_text("[DEFAULT]\n")
    clouds = tmp_path / "clouds.yaml"
    command = environments.bin_dir("glance-33") / "s3gateway-manage"
    line: list[str | pathlib.Path] = [command, f"--config-file={config}", "--json"]
    with web.serving(service.handler) as url:
        auth = {"endpoint": url, "token": TOKEN}
        mine = {"auth_type": "admin_token", "auth": auth}
        clouds.write_text(json.dumps({"clouds": {"mine": mine}}))
        env = {"OS_CLIENT_CONFIG_FILE": str(clouds)}
        done = parsed(
            run([*line, "selftest", f"--os-cloud={cloud}"], env=env, check=False)
        )
    if cloud == "mine":
        assert (done.code, wrong(done)) == (0, {}), done.text
    else:
        assert done.code == 2, done.text
        assert "--os-cloud: Cloud another was not found" in done.summary
    assert service.images == {}


@pytest.mark.full
def test_a_user_of_keystone(
    cloud: Cloud, keystone: Keystone, identified: Gateway
) -> None:
    """With Keystone, whose catalog has a gateway of its own."""
    auth = {
        "auth_url": f"{keystone.url}/v3",
        "username": ALICE_OF_KEYSTONE.name,
        "password": PASSWORD,
        "project_name": ALICE_OF_KEYSTONE.project,
        "user_domain_id": "default",
        "project_domain_id": "default",
    }
    clouds = json.dumps({"clouds": {"mine": {"auth": auth}}})
    file = cloud.write("clouds.yaml", clouds)
    manage = Manage(cloud, cloud.glance(gateway=True))
    env = {"OS_CLIENT_CONFIG_FILE": str(file)}
    done = manage("selftest", "--os-cloud", "mine", "--size", "12", env=env)
    assert done.code == 0, done.text
    assert wrong(done) == {}
    done = manage("selftest", env=keystone.environment(ALICE_OF_KEYSTONE))
    assert done.code == 0, done.text
    assert PASSWORD not in done.text

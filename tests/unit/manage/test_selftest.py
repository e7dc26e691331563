# SPDX-License-Identifier: Apache-2.0
"""What ``selftest`` does to an image service, and what it says of it."""

from __future__ import annotations

import json
import os
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from s3gateway.errors import ConfigError
from s3gateway.errors import GlanceError
from s3gateway.errors import UsageError
from s3gateway.manage import selftest
from s3gateway.manage import user_api
from tests.support.s3.memory import unavailable
from tests.support.servers.image_service import TOKEN
from tests.support.servers.image_service import VERSION
from tests.unit.manage import clouds
from tests.unit.manage.bench import CONFIG

MIB = 1024**2
ALL = ["create", "upload", "show", "download", "range", "gateway", "masks", "delete"]


class Cloud(clouds.Cloud):
    """One that ``selftest`` is run on."""

    command = ("selftest", selftest.run)

    def rows(self, *words: str) -> tuple[bool, dict[str, dict[str, Any]]]:
        """Run it; return whether all is well, and the rows by their steps."""
        well, document = self.run(*words)
        return well, {row["step"]: row for row in document["rows"]}


@pytest.fixture
def cloud(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    made = Cloud(tmp_path)
    with made.serving(monkeypatch):
        yield made


def states(rows: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {name: row["state"] for name, row in rows.items() if row["state"] != "ok"}


@pytest.mark.parametrize("size", [1, 3])
def test_all_is_well(cloud: Cloud, size: int) -> None:
    cloud.service.admin = True
    well, rows = cloud.rows("--size", str(size))
    assert well, rows
    assert states(rows) == {}
    assert list(rows) == [*ALL, "gone"]
    assert rows["upload"]["detail"].startswith(f"{size * MIB} bytes, ")
    assert VERSION in rows["gateway"]["detail"]
    assert "took the data and handed it out" in rows["gateway"]["detail"]
    assert rows["gone"]["detail"] == "the image and its object are gone"
    assert all(isinstance(row["seconds"], float) for row in rows.values())


def test_a_member_is_not_told_the_version(cloud: Cloud) -> None:
    well, rows = cloud.rows("--size", "1")
    assert well, rows
    assert rows["gateway"]["detail"] == "the gateway took the data and handed it out"


def test_a_glance_without_the_gateway(cloud: Cloud) -> None:
    cloud.service.gateway = False
    well, rows = cloud.rows("--size", "1")
    assert not well
    assert states(rows) == {"range": "error", "gateway": "error", "masks": "error"}
    assert "the filter is not in the pipeline" in rows["gateway"]["detail"]
    detail = rows["masks"]["detail"]
    assert "shows where the data is in S3" in detail
    assert "shows the host of store fast" in detail
    assert "shows the bucket of store fast" in detail
    assert "images-of-glance" not in json.dumps(rows)
    assert "s3.example" not in json.dumps(rows)


def test_an_upload_that_is_left_to_glance(cloud: Cloud) -> None:
    cloud.service.takes = False
    well, rows = cloud.rows("--size", "1")
    assert not well
    assert states(rows) == {"gateway": "error"}
    assert "'is left to Glance'" in rows["gateway"]["detail"]


def test_a_bucket_that_cannot_be_looked_into(cloud: Cloud) -> None:
    cloud.store.before = unavailable("objects")
    well, rows = cloud.rows("--size", "1")
    assert well, rows
    assert "who took it is not known" in rows["gateway"]["detail"]


def test_data_that_is_not_what_was_sent(cloud: Cloud) -> None:
    cloud.service.data = lambda data: data[:-1] + bytes([data[-1] ^ 1])
    well, rows = cloud.rows("--size", "1")
    assert not well
    assert states(rows) == {"download": "error", "range": "error"}


def test_data_that_is_too_short(cloud: Cloud) -> None:
    cloud.service.data = lambda data: data[: MIB // 2]
    _, rows = cloud.rows("--size", "1")
    assert rows["download"]["detail"].startswith(f"{MIB // 2} bytes came")
    assert rows["range"]["state"] == "error"


@pytest.mark.parametrize("status", [403, -1])
@pytest.mark.parametrize("failing", ALL[:5])
def test_a_step_that_fails(cloud: Cloud, failing: str, status: int) -> None:
    """The image is deleted whatever happens, and what makes no sense is skipped."""
    cloud.service.before = lambda request: status if request == failing else 0
    well, rows = cloud.rows("--size", "1")
    assert not well
    words = "answered 403" if status > 0 else "no whole answer"
    assert words in rows[failing]["detail"]
    skipped = {"create": [*ALL[1:], "gone"], "upload": ALL[2:6]}.get(failing, [])
    assert [n for n, row in rows.items() if row["state"] == "skipped"] == skipped
    assert [n for n, row in rows.items() if row["state"] == "error"] == (
        [failing, "gone"] if failing == "show" else [failing]
    )


def test_a_deletion_that_fails_is_tried_again(cloud: Cloud) -> None:
    answers = [500, 0]
    cloud.service.before = lambda request: answers.pop(0) if request == "delete" else 0
    well, rows = cloud.rows("--size", "1")
    assert not well
    assert states(rows) == {"delete": "error", "gone": "skipped"}


def test_an_image_that_cannot_be_deleted_is_named(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.service.before = lambda request: 500 * (request == "delete")
    cloud.rows("--size", "1")
    [left] = cloud.service.images
    assert f"Image {left} could not be deleted" in capsys.readouterr().err
    cloud.service.delete(left)


@pytest.mark.parametrize("delayed", [True, False])
def test_an_object_that_stays(cloud: Cloud, delayed: bool) -> None:
    """With delayed_delete that is as it should be."""
    cloud.service.spares = True
    cloud.configure(f"[DEFAULT]\ndelayed_delete = {delayed}\n")
    well, rows = cloud.rows("--size", "1")
    assert well is delayed
    words = "waits for glance-scrubber" if delayed else "still in store fast"
    assert words in rows["gone"]["detail"]
    cloud.store.objects_by_key.clear()


def test_an_admin_sees_more_than_users(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_api, "_roles", lambda session: ("member", "admin"))
    _, rows = cloud.rows("--size", "1")
    assert "run it as a member" in rows["masks"]["detail"]


def test_it_is_stopped(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(self: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("s3gateway.manage.trial.Trial.download", stop)
    _, rows = cloud.rows("--size", "1")
    assert list(rows) == ["create", "upload", "show"]
    assert cloud.service.asked[-1] == "delete"


def test_a_user_of_the_configuration(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    url = cloud_url(monkeypatch)
    config = tmp_path / "glance-api.conf"
    section = "auth_type = admin_token\nendpoint = http://127.0.0.1:9\n"
    config.write_text(f"{CONFIG}[check_user]\n{section}token = {TOKEN}\n")
    well, rows = cloud.rows("--url", url, "--size", "1")
    assert well, rows


def cloud_url(monkeypatch: pytest.MonkeyPatch) -> str:
    """Take the user out of the environment; return where the service is."""
    url = os.environ["OS_ENDPOINT"]
    for name in ("OS_AUTH_TYPE", "OS_ENDPOINT", "OS_TOKEN"):
        monkeypatch.delenv(name)
    return url


def test_nobody_to_be(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud_url(monkeypatch)
    with pytest.raises(UsageError, match="no credentials in OS_"):
        cloud.rows()


def test_credentials_that_are_not_complete(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OS_AUTH_TYPE", "password")
    with pytest.raises(ConfigError, match="auth_url"):
        cloud.rows()


def test_a_keystone_that_does_not_answer(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OS_AUTH_TYPE", "password")
    monkeypatch.setenv("OS_AUTH_URL", "http://127.0.0.1:9/v3")
    monkeypatch.setenv("OS_USERNAME", "alice")
    monkeypatch.setenv("OS_PASSWORD", "a secret word")
    with pytest.raises(GlanceError, match="No token from OS_") as raised:
        cloud.rows()
    assert "a secret word" not in str(raised.value)


def test_a_cloud_without_openstacksdk(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openstack.config", None)
    with pytest.raises(UsageError, match="needs openstacksdk"):
        cloud.rows("--os-cloud", "mycloud")

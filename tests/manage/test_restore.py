# SPDX-License-Identifier: Apache-2.0
"""s3gateway-manage restore, on objects that a restored database has no image for."""

from __future__ import annotations

from collections.abc import Callable
from concurrent import futures

import pytest

from tests.manage.planted import DATA
from tests.manage.planted import Planted
from tests.manage.planted import key
from tests.support import formats
from tests.support.clients.api import Api
from tests.support.people import ADMIN
from tests.support.people import ALICE
from tests.support.servers.cloud import Cloud
from tests.support.servers.manage import Manage
from tests.support.servers.manage import Result

QCOW2 = formats.qcow2(64 * 1024**2)
_TABLES = ("image_locations", "image_properties", "image_tags", "image_members")


def forget(cloud: Cloud, image_id: str) -> None:
    """Have a database in which an image has never been."""
    for table in _TABLES:
        cloud.sql(f"DELETE FROM {table} WHERE image_id = '{image_id}'")  # noqa: S608
    cloud.sql(f"DELETE FROM images WHERE id = '{image_id}'")  # noqa: S608


def key_of(cloud: Cloud, image_id: str) -> str:
    [name] = [k for k in cloud.objects("fast") if k.startswith(image_id)]
    return name


def images_of(done: Result) -> list[str]:
    """Return the images that restore has made."""
    return [row["image"] for row in done.rows if row["code"] == "restored"]


@pytest.fixture
def planted(managed: Manage) -> Planted:
    return Planted(managed)


def test_images_that_the_database_does_not_know(
    managed: Manage, planted: Planted
) -> None:
    api, cloud = planted.api, managed.cloud
    stock = cloud.api(ADMIN, gateway=False)
    raw, qcow2 = api.create(), api.create(disk_format="qcow2")
    owner = api.show(raw)["owner"]
    data = {raw: DATA, qcow2: QCOW2}
    for image_id, content in data.items():
        assert api.upload(image_id, content).status == 204
    keys = [key_of(cloud, image_id) for image_id in data]
    for image_id in data:
        forget(cloud, image_id)
    words = ("restore", "--store", "fast", "--project", owner, *keys)
    dry = managed(*words, "--dry-run")
    assert dry.code == 0, dry.text
    assert {row["code"] for row in dry.rows} == {"planned"}
    assert api.request("GET", f"/v2/images/{raw}").status == 404

    done = managed(*words)
    assert done.code == 0, done.text
    assert {row["image"]: row["code"] for row in done.rows} == dict.fromkeys(
        data, "restored"
    )
    for image_id, content in data.items():
        shown = api.show(image_id)
        assert (shown["status"], shown["visibility"]) == ("active", "private")
        assert shown["name"] == f"restored {image_id}"
        assert api.download(image_id).body == content
        assert stock.download(image_id).body == content
    assert api.show(raw)["disk_format"] == "raw"
    assert api.show(qcow2)["disk_format"] == "qcow2"
    assert api.show(qcow2)["virtual_size"] == 64 * 1024**2
    named = ("--image", raw, "--image", qcow2)
    assert managed("verify", "--deep", *named).code == 0
    assert managed("gc", *named).rows == []
    again = managed(*words)
    assert (again.code, {row["code"] for row in again.rows}) == (0, {"needed"})
    for image_id in data:
        assert stock.delete(image_id).status == 204
        assert cloud.kept(image_id) == []


def test_an_image_that_waits_for_its_data_gets_it(
    managed: Manage, planted: Planted
) -> None:
    """It was in the database already when that was saved, and keeps what it is."""
    image_id = planted.api.create(name="waiting", hw_disk_bus="scsi")
    name = planted.object(key(image_id))
    done = managed("restore", "--store", "fast", "--project", "nobody", name)
    assert done.code == 0, done.text
    shown = planted.api.show(image_id)
    assert (shown["status"], shown["name"]) == ("active", "waiting")
    assert shown["hw_disk_bus"] == "scsi"
    assert planted.api.download(image_id).body == DATA


def test_what_is_left_alone(managed: Manage, planted: Planted) -> None:
    active, needed = planted.image()
    asleep, hidden = planted.image()
    path = f"/v2/images/{asleep}/actions/deactivate"
    assert planted.admin.request("POST", path).status == 204
    deleted, twice = planted.gone(), planted.api.create()
    owner = planted.api.show(active)["owner"]
    expected = {
        needed: "needed",
        planted.object(key(active)): "other_data",
        hidden: "needed",
        planted.object(key(asleep)): "other_data",
        planted.object(key(planted.api.create()), whose="another"): "foreign",
        planted.object(key(deleted)): "deleted",
        planted.object(key(twice)): "ambiguous",
        planted.object(key(twice)): "ambiguous",
        planted.object("backup/notes.txt"): "not_an_image",
        key(active): "missing",
    }
    running = planted.api.create()
    expected[planted.object(key(running))] = "busy"
    before = planted.names()
    words = ("restore", "--store", "fast", "--project", owner)
    patient = {"s3gateway": {"claim_grace": "600"}}
    with planted.beating(running):
        done = managed(*words, *expected, config=patient)
    assert done.code == 0, done.text
    assert {row["key"]: row["code"] for row in done.rows} == expected
    assert {row["state"] for row in done.rows} == {"skipped"}
    assert before <= planted.names() | {f".s3gateway/{running}"}
    [name] = [each for each, code in expected.items() if code == "deleted"]
    again = managed(*words, name, "--deleted", "--name", "back")
    assert again.code == 0, again.text
    [row] = again.rows
    assert row["image"] != deleted
    assert planted.api.show(row["image"])["name"] == "back"
    assert planted.api.download(row["image"]).body == DATA
    assert hidden in planted.names()


def test_beside_gc_and_beside_itself(managed: Manage, planted: Planted) -> None:
    """A deleted image's object becomes one image, and gc, begun before, spares it."""
    planted.crowd()
    name = planted.object(key(planted.gone()))
    # A claim protects for its grace time only; a busy machine may take a second.
    patient = {"s3gateway": {"claim_grace": "15"}}
    planted.are_older_than(16)
    owner = planted.api.show(planted.api.create())["owner"]
    words = ("restore", "--store", "fast", "--project", owner, "--deleted", name)
    slow = ("gc", "--delete", "--force", "--store", "fast", "--rate", "20")
    with futures.ThreadPoolExecutor(3) as pool:
        commands = [
            pool.submit(managed, *each, config=patient) for each in (slow, words, words)
        ]
        _, *restored = [command.result() for command in commands]
    made = [image for each in restored for image in images_of(each)]
    if not made and name not in planted.names():  # gc was faster
        return
    if not made:  # each of the three may give way to the others
        made = images_of(managed(*words, config=patient))
    [image_id] = made
    assert planted.api.download(image_id).body == DATA
    assert managed("gc", "--delete", "--force", "--store", "fast").code in (0, 1)
    stock = managed.cloud.api(ADMIN, gateway=False)
    assert stock.download(image_id).body == DATA


@pytest.mark.full
def test_a_glance_that_keeps_keys_in_locations(
    clouds: Callable[[int], Cloud],
) -> None:
    cloud = clouds(30)
    api = cloud.api(ALICE, gateway=True)
    manage = Manage(cloud, cloud.glance(gateway=True))
    image_id = api.create()
    owner = api.show(image_id)["owner"]
    assert api.upload(image_id, DATA).status == 204
    name = key_of(cloud, image_id)
    forget(cloud, image_id)
    done = manage("restore", "--store", "fast", "--project", owner, name)
    assert done.code == 0, done.text
    stock: Api = cloud.api(ADMIN, gateway=False)
    assert stock.download(image_id).body == DATA
    assert stock.delete(image_id).status == 204
    assert cloud.kept(image_id) == []

# SPDX-License-Identifier: Apache-2.0
"""s3gateway-manage gc: what it takes, and what it must never take."""

from __future__ import annotations

import contextlib
import itertools
import pathlib
import uuid
from collections.abc import Iterator

import pytest

from tests.manage.planted import DATA
from tests.manage.planted import Planted
from tests.manage.planted import key
from tests.support.clients.api import Api
from tests.support.people import ALICE
from tests.support.s3.s3server import S3Server
from tests.support.servers import glance
from tests.support.servers.cloud import Cloud
from tests.support.servers.glance import Config
from tests.support.servers.manage import Manage
from tests.support.servers.mariadb import MariaDB

PATIENT = {"s3gateway": {"claim_grace": "86400"}}
#: So long a busy machine does not keep a claim from being renewed.
ENOUGH = {"s3gateway": {"claim_grace": "10"}}
_COUNT = itertools.count(1)


@pytest.fixture
def planted(managed: Manage) -> Planted:
    return Planted(managed)


@pytest.fixture(scope="session")
def _crowd(managed: Manage) -> None:
    Planted(managed).crowd()


@pytest.mark.usefixtures("_crowd")
def test_gc(managed: Manage, planted: Planted) -> None:
    image_id, needed = planted.image()
    asleep, kept = planted.image()
    path = f"/v2/images/{asleep}/actions/deactivate"
    assert planted.admin.request("POST", path).status == 204
    running, dead, deleted_image = (planted.gone() for _ in range(3))
    never = {
        needed,
        kept,  # where a deactivated image's data is is not shown
        planted.object("backup/notes.txt"),
        planted.object(deleted_image),  # a key of Glance's own
        planted.object(key(deleted_image), whose=""),
        planted.object(key(deleted_image), whose="another"),
        planted.object(key(str(uuid.uuid4()))),
        planted.object(key(running)),
        planted.upload(key(str(uuid.uuid4())))[0],
        planted.claim(str(uuid.uuid4())),
    }
    upload, upload_id = planted.upload(key(dead))
    attempts = [("fast", upload, upload_id), ("cheap", key(dead), "")]
    gone = {
        planted.object(key(deleted_image)),
        planted.object(key(deleted_image.upper())),
        planted.object(key(image_id)),  # the image has other data
        planted.object(attempts[1][1], "cheap"),
        planted.upload(key(deleted_image))[0],
        planted.claim(dead, *attempts, store="cheap"),  # the first store, the old place
        upload,
    }
    planted.are_older_than(10)

    young = managed("gc", config=PATIENT)
    assert not {row["key"] for row in young.rows} & (gone | never), young.text

    with planted.beating(running) as alive:
        shown = managed("gc", config=ENOUGH)
        assert shown.code == 1, shown.text
        found = {row["key"] for row in shown.rows}
        assert gone <= found
        assert not found & (never | {alive})
        assert gone | never | {alive} <= planted.names()  # it was only shown
        sizes = {row["key"]: row["size_bytes"] for row in shown.rows}
        assert sizes[upload] == sizes[attempts[1][1]] == len(DATA)
        owners = {row["image"]: row["project"] for row in shown.rows}
        assert owners[image_id] == planted.api.show(image_id)["owner"]
        assert owners[deleted_image] is None
        few = managed("gc", "--image", image_id, "--rate", "50", config=ENOUGH)
        assert {row["image"] for row in few.rows} == {image_id}

        deleted = managed("gc", "--delete", config=ENOUGH)
        assert " 0 left" in deleted.summary, deleted.text
        left = planted.names()
    assert not gone & left
    assert never | {alive} <= left
    assert planted.api.download(image_id).body == DATA
    activate = f"/v2/images/{asleep}/actions/reactivate"
    assert planted.admin.request("POST", activate).status == 204
    assert planted.api.download(asleep).body == DATA


def test_an_upload_that_was_left_open_under_an_images_own_key(
    managed: Manage, planted: Planted
) -> None:
    """As after an answer that got lost: one of two was completed."""
    image_id, needed = planted.image()
    planted.upload(needed)
    planted.object(key(planted.gone()), whose="another")  # its age can be waited for
    planted.are_older_than(1)
    deleted = managed("gc", "--delete")
    assert " 0 left" in deleted.summary, deleted.text
    assert needed not in managed.cloud.uploads("fast")
    assert planted.api.download(image_id).body == DATA


class Databases:
    """Other databases than the one that the images of a cloud are in."""

    def __init__(self, managed: Manage, server: MariaDB) -> None:
        self._managed = managed
        self._server = server
        config = glance.parsed(
            (managed.glance.directory / "glance-api.conf").read_text()
        )
        url = config["database"]["connection"]
        self._live = url.partition("?")[0].rpartition("/")[2]

    def empty(self) -> str:
        """Return the URL of one without images."""
        url = self._server.create(f"gc{next(_COUNT)}")
        cloud = self._managed.cloud
        glance.create_database(cloud.bin_dir, self._managed.glance.directory, url)
        return url

    def backup(self) -> str:
        """Return the URL of one that is as the cloud's is now."""
        name = f"gc{next(_COUNT)}"
        url = self._server.create(name)
        for table in self._server.execute(f"SHOW TABLES FROM {self._live}").split():
            copy = f"{name}.{table}"
            source = f"{self._live}.{table}"
            self._server.execute(f"CREATE TABLE {copy} LIKE {source}")
            self._server.execute(f"INSERT INTO {copy} SELECT * FROM {source}")  # noqa: S608
        return url


@pytest.fixture
def databases(managed: Manage, database: MariaDB) -> Databases:
    return Databases(managed, database)


def restored(url: str, planted: Planted) -> Config:
    """Return what makes a database the live one's own, only from another time."""
    return {"database": {"connection": url}, "s3gateway": {"glance_id": planted.whose}}


@pytest.mark.usefixtures("_crowd")
def test_a_database_from_before(
    managed: Manage, planted: Planted, databases: Databases
) -> None:
    """One image was there without data then, another one was not."""
    waiting = planted.api.create()
    planted.are_older_than(2)
    url = databases.backup()
    planted.are_older_than(2)
    names = {planted.uploaded(waiting)}
    image_id, name = planted.image()
    names.add(name)
    planted.are_older_than(1)
    done = managed("gc", "--delete", config=restored(url, planted))
    assert done.code == 1, done.text
    assert "newer than the last change in Glance's database" in done.summary
    assert "of images that Glance's database has never had" in done.summary
    assert names <= planted.names()
    for each in (waiting, image_id):
        assert planted.api.download(each).body == DATA


def test_an_empty_database(
    managed: Manage, planted: Planted, databases: Databases
) -> None:
    image_id, _ = planted.image()
    planted.are_older_than(1)
    before = planted.names()
    url = databases.empty()
    done = managed("gc", "--delete", config=restored(url, planted))
    assert done.code == 1, done.text
    assert "Glance's database has no image" in done.summary
    # Without the id, it is simply another Glance.
    other = managed(
        "gc", "--delete", "--force", config={"database": {"connection": url}}
    )
    assert "of another Glance" in other.summary
    assert planted.names() == before
    assert planted.api.download(image_id).body == DATA


@pytest.mark.full
def test_most_of_the_objects_do_not_go(managed: Manage, planted: Planted) -> None:
    image_id, _ = planted.image()
    wrong = [planted.object(key(image_id)) for _ in range(30)]
    planted.are_older_than(1)
    done = managed("gc", "--delete")
    assert done.code == 1, done.text
    assert "objects would go: look at [database] connection" in done.summary
    assert set(wrong) <= planted.names()
    forced = managed("gc", "--delete", "--force")
    assert " 0 left" in forced.summary, forced.text
    assert not set(wrong) & planted.names()
    assert planted.api.download(image_id).body == DATA


@pytest.fixture
def neighbour(
    managed: Manage, workspace: pathlib.Path, database: MariaDB, s3: S3Server
) -> Iterator[Manage]:
    """Another Glance, whose stores are the same buckets."""
    config: dict[str, dict[str, str]] = {"s3gateway": {"claim_grace": "1"}}
    for store in ("fast", "cheap"):
        config[store] = {"s3_store_bucket": managed.cloud.bucket(store)}
    with contextlib.ExitStack() as stack:
        home = workspace / "neighbour"
        cloud = Cloud(33, home, database, s3, stack, name="neighbour")
        yield Manage(cloud, cloud.glance(gateway=True, config=config))


def test_two_glances_on_one_bucket(
    managed: Manage, planted: Planted, neighbour: Manage
) -> None:
    api = Api(neighbour.glance.url, ALICE)
    mine, _ = planted.image()
    theirs = api.create()
    assert api.upload(theirs, DATA).status == 204
    planted.are_older_than(1)
    api.create()
    for manage in (managed, neighbour):
        for words in ((), ("--force",)):
            done = manage("gc", "--delete", *words)
            assert "of another Glance" in done.summary, done.text
            assert planted.api.download(mine).body == DATA
            assert api.download(theirs).body == DATA

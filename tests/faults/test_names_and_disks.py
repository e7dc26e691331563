# SPDX-License-Identifier: Apache-2.0
"""S3's name is gone from DNS, or its disk is full: real faults, without a proxy."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import random
import time
from collections.abc import Callable
from collections.abc import Iterator
from urllib import parse

import pytest

from tests.support.clients.api import Api
from tests.support.clients.api import Response
from tests.support.people import ALICE
from tests.support.s3 import catalog
from tests.support.servers.cloud import Cloud
from tests.support.servers.glance import Glance
from tests.support.servers.manage import Manage
from tests.support.servers.mariadb import MariaDB
from tests.support.servers.processes import run

MIB = 1024**2
DATA = random.Random(8).randbytes(11 * MIB)  # noqa: S311  three parts
NOWHERE = "s3.no-such-host.invalid:9000"
DISK = 96  # MiB
OPTIONS = {"retry_time": "3", "claim_grace": "3"}


@pytest.fixture(scope="module")
def nameless(cloud: Cloud) -> Api:
    """A Glance whose stores are on a host that DNS does not know."""
    host = {"s3_store_host": f"http://{NOWHERE}"}
    impatient = {"retry_time": "1", "connect_timeout": "2"}
    config = {"fast": host, "cheap": host, "s3gateway": impatient}
    return cloud.api(ALICE, gateway=True, config=config)


@pytest.fixture(scope="module")
def cloud(clouds: Callable[[int], Cloud]) -> Cloud:
    """The newest release."""
    return clouds(33)


@pytest.fixture
def image_id(cloud: Cloud) -> Iterator[str]:
    """An image whose location has the name that is gone, for as long as it is used."""
    api = cloud.api(ALICE, gateway=True)
    image_id = api.create()
    assert api.upload(image_id, DATA).status == 204
    host = parse.urlsplit(cloud.s3.endpoint).netloc
    rename(cloud, image_id, host, NOWHERE)
    yield image_id
    rename(cloud, image_id, NOWHERE, host)
    assert api.download(image_id).body == DATA
    assert api.delete(image_id).status == 204
    assert not [key for key in cloud.objects("fast") if image_id in key]


def rename(cloud: Cloud, image_id: str, old: str, new: str) -> None:
    """Change the host in an image's location, as if it always had been that."""
    cloud.sql(
        f"UPDATE image_locations SET value = REPLACE(value, '{old}', '{new}') "  # noqa: S608
        f"WHERE image_id = '{image_id}'"
    )


def test_no_name_at_upload(nameless: Api) -> None:
    image_id = nameless.create()
    answer = nameless.upload(image_id, DATA)
    assert answer.status == 503
    assert b"no-such-host" not in answer.body
    assert nameless.show(image_id)["status"] == "queued"
    assert nameless.delete(image_id).status == 204


@pytest.mark.full
def test_no_name_at_download(nameless: Api, image_id: str) -> None:
    answer = nameless.download(image_id)
    assert answer.status == 503
    assert b"no-such-host" not in answer.body
    assert nameless.show(image_id)["status"] == "active"


@pytest.mark.full
def test_no_name_at_delete(nameless: Api, image_id: str) -> None:
    """A delete is stock Glance's."""
    answer = nameless.delete(image_id)
    assert answer.status == 500
    assert b"no-such-host" not in answer.body
    assert nameless.show(image_id)["status"] == "active"


@dataclasses.dataclass(frozen=True)
class Cramped:
    """A cloud whose S3 server has its data on a small disk."""

    cloud: Cloud
    disk: pathlib.Path

    def enlarge(self) -> None:
        """Do what an operator does then."""
        run(["mount", "-o", f"remount,size={4 * DISK}m", self.disk])


@contextlib.contextmanager
def small_disk(directory: pathlib.Path) -> Iterator[pathlib.Path]:
    """Mount a file system in memory, which only root may."""
    directory.mkdir(parents=True)
    size = f"size={DISK}m"
    mounted = run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", directory], check=False)
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stdout}")
    try:
        yield directory
    finally:
        run(["umount", directory])


@pytest.fixture(scope="module")
def cramped(
    request: pytest.FixtureRequest, workspace: pathlib.Path, database: MariaDB
) -> Iterator[Cramped]:
    """A cloud on an S3 server that has little room."""
    name = request.param
    if reason := catalog.missing(name):
        pytest.skip(f"{name} was not run: {reason}")
    home = workspace / f"cramped-{name}"
    with contextlib.ExitStack() as stack:
        disk = stack.enter_context(small_disk(home / "disk"))
        s3 = stack.enter_context(catalog.serving(name, disk))
        cloud = Cloud(33, home, database, s3, stack, name=f"cramped{name}")
        yield Cramped(cloud, disk)


def fill(cramped: Cramped) -> tuple[Glance, str, str, Response]:
    """Upload an image, and another for which there is no room.

    :return: the server, both images, and the answer to the second
    """
    glance = cramped.cloud.glance(gateway=True, config={"s3gateway": OPTIONS})
    api = Api(glance.url, ALICE)
    small, large = api.create(), api.create()
    assert api.upload(small, DATA).status == 204
    refused = api.upload(large, iter([DATA] * (DISK // 11 + 1)))
    assert api.show(large)["status"] == "queued"
    return glance, small, large, refused


@pytest.mark.full
@pytest.mark.parametrize("cramped", ["minio"], indirect=True)
def test_a_disk_that_is_full(cramped: Cramped) -> None:
    glance, small, large, refused = fill(cramped)
    api = Api(glance.url, ALICE)
    assert refused.status == 413
    assert not cramped.cloud.kept(large)
    assert api.download(small).body == DATA
    cramped.enlarge()
    upload_until_taken(api, large)
    assert api.download(large).body == DATA
    assert {api.delete(image).status for image in (small, large)} == {204}
    assert not cramped.cloud.kept()


def upload_until_taken(api: Api, image_id: str) -> None:
    """Upload until the server has seen its new room."""
    deadline = time.monotonic() + 120
    while (status := api.upload(image_id, DATA).status) != 204:
        assert status == 413
        assert time.monotonic() < deadline
        time.sleep(0.5)


@pytest.mark.full
@pytest.mark.parametrize("cramped", ["swift"], indirect=True)
def test_a_disk_that_is_full_and_shunned(cramped: Cramped) -> None:
    """A disk that has no room is not asked for anything by Swift for a minute.

    Swift answers 503 for it, to reads and deletes as well: what the upload has
    written can be collected, and the whole image be read, only after that.
    """
    glance, small, large, refused = fill(cramped)
    api = Api(glance.url, ALICE)
    assert refused.status == 500
    assert b"answered 503" in refused.body
    claim, upload = sorted(cramped.cloud.kept(large))
    assert claim == f".s3gateway/{large}"
    assert upload in cramped.cloud.uploads("fast")

    assert read_until_whole(api, small) == DATA
    done = Manage(cramped.cloud, glance)("gc", "--delete")

    assert done.summary == "2 collected, 0 left", done.text
    assert not cramped.cloud.kept(large)
    assert api.upload(large, DATA).status == 204, "there is room again"
    assert api.download(large).body == DATA
    assert {api.delete(image).status for image in (small, large)} == {204}
    assert not cramped.cloud.kept()


def read_until_whole(api: Api, image_id: str) -> bytes:
    """Download until the server asks its disk again."""
    deadline = time.monotonic() + 180
    while (answer := api.download(image_id)).status != 200:
        assert answer.status == 503
        assert time.monotonic() < deadline
        time.sleep(0.5)
    return answer.body

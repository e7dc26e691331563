# SPDX-License-Identifier: Apache-2.0
"""A Glance whose database is PostgreSQL: uploads, the way back, and two at once."""

from __future__ import annotations

import pathlib
import threading
from collections.abc import Iterator

import pytest

from tests.support.clients.api import Api
from tests.support.clients.api import in_chunks
from tests.support.people import ALICE
from tests.support.s3.s3server import S3Server
from tests.support.servers import environments
from tests.support.servers import glance
from tests.support.servers import postgresql
from tests.support.servers.glance import Glance
from tests.support.servers.glance import GlanceSpec

pytestmark = pytest.mark.full

DATA = bytes(range(250)) * 40_000  # two parts


@pytest.fixture(scope="module")
def running(s3: S3Server, workspace: pathlib.Path) -> Iterator[Glance]:
    if reason := postgresql.missing():
        pytest.skip(f"PostgreSQL was not run: {reason}")
    bin_dir = environments.bin_dir("glance-33")
    directory = workspace / "glance-postgresql"
    directory.mkdir()
    stores = glance.two_s3_stores_and_a_file_store(s3, directory, "pg-")
    spec = GlanceSpec(
        bin_dir=bin_dir,
        gateway=True,
        config={"DEFAULT": {"show_multiple_locations": "false"}},
    )
    with postgresql.serving() as server:
        database = server.create("glance")
        glance.create_database(bin_dir, directory, database)
        with glance.serving(spec, directory / "api", stores, database) as found:
            yield found


def keys(s3: S3Server) -> list[str]:
    answer = s3.client().list_objects_v2(Bucket="pg-fast")
    return [found["Key"] for found in answer.get("Contents", [])]


def test_the_main_way(running: Glance, s3: S3Server) -> None:
    assert "taken by Glance's own code" in running.log
    api = Api(running.url, ALICE)
    image_id = api.create(disk_format="raw")
    assert api.upload(image_id, in_chunks(DATA)).status == 204
    assert api.show(image_id)["virtual_size"] == len(DATA)
    assert api.download(image_id, Range="bytes=5-9").body == DATA[5:10]
    assert api.delete(image_id).status == 204
    assert not keys(s3)


def test_the_way_back(running: Glance, s3: S3Server) -> None:
    api = Api(running.url, ALICE)
    image_id = api.create(disk_format="qcow2")
    assert api.upload(image_id, b"no qcow2").status == 415
    shown = api.show(image_id)
    assert (shown["status"], shown["checksum"]) == ("queued", None)
    assert not keys(s3)
    assert api.delete(image_id).status == 204


@pytest.mark.parametrize("seed", range(20))
def test_two_at_once(running: Glance, s3: S3Server, seed: int) -> None:
    api = Api(running.url, ALICE)
    image_id = api.create()
    data = [bytes([seed, number]) * 100_000 for number in range(2)]
    answers = [0, 0]

    def upload(number: int) -> None:
        answers[number] = api.upload(image_id, data[number]).status

    threads = [threading.Thread(target=upload, args=[number]) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) in ([204, 409], [204, 410])
    assert api.download(image_id).body == data[answers.index(204)]
    assert len(keys(s3)) == 1
    assert api.delete(image_id).status == 204

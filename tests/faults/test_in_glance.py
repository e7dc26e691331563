# SPDX-License-Identifier: Apache-2.0
"""Uploads that Glance's own code takes: they die, race and are deleted meanwhile."""

from __future__ import annotations

import hashlib
import json
import random
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from concurrent import futures

import pytest

from tests.support import tiers
from tests.support.clients.api import Api
from tests.support.clients.api import in_chunks
from tests.support.faults import s3_faults
from tests.support.faults.through import Through
from tests.support.faults.through import through_proxy
from tests.support.people import ADMIN
from tests.support.people import ALICE
from tests.support.people import BOB
from tests.support.servers.cloud import Cloud
from tests.support.servers.manage import Manage

MIB = 1024**2
LARGE = random.Random(33).randbytes(17 * MIB)  # noqa: S311  four parts
SMALL = LARGE[:MIB]
GRACE = 4  # seconds
CONFIG = {"DEFAULT": {"show_multiple_locations": "false"}}

# Where the gateway is when it dies: what it has asked S3 for and not heard of.
STAGES = {
    "the upload has no parts": ({"method": "POST", "query": "^uploads"}, True),
    "there is a claim": ({"method": "PUT", "key": "[.]s3gateway/ID"}, True),
    "a part is on its way": ({"method": "PUT", "query": "partNumber=2"}, False),
    "it is committed": ({"method": "POST", "query": "uploadId"}, True),
    "a small object is on its way": ({"method": "PUT", "key": "/ID[.]"}, False),
    "a small object is there": ({"method": "PUT", "key": "/ID[.]"}, True),
}
ALWAYS = ["it is committed", "a small object is there"]


@pytest.fixture(scope="module")
def through(clouds: Callable[[int], Cloud]) -> Iterator[Through]:
    options = {"claim_grace": str(GRACE), "read_timeout": "60"}
    with through_proxy(clouds(33), ALICE, options=options, config=CONFIG) as found:
        yield found


def die_during(through: Through, image_id: str, stage: str) -> bytes:
    """Upload, and kill the worker when it has come to a stage; return the data."""
    where, done = STAGES[stage]
    data = SMALL if "small" in stage else LARGE
    through.die_during(image_id, in_chunks(data), where, done=done)
    return data


@pytest.mark.parametrize("stage", tiers.but(ALWAYS, STAGES))
def test_the_next_upload_takes_over(through: Through, stage: str) -> None:
    api = through.api
    image_id = api.create()
    data = die_during(through, image_id, stage)
    assert api.show(image_id)["status"] == "saving"
    take_over(api, image_id, data)
    assert through.cloud.api(ALICE, gateway=False).download(image_id).body == data


def take_over(api: Api, image_id: str, data: bytes) -> None:
    """Upload as soon as the one before counts as dead."""
    deadline = time.monotonic() + 10 * GRACE
    while (status := api.upload(image_id, in_chunks(data)).status) == 409:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert status == 204
    assert api.download(image_id).body == data


@pytest.mark.parametrize(
    "stage", ["a small object is on its way", "a small object is there"]
)
def test_gc_makes_it_queued(through: Through, stage: str) -> None:
    image_id = through.api.create()
    where, done = STAGES[stage]
    # Little, and by a worker that is warm: a slow upload has a claim that names it.
    assert through.api.upload(through.api.create(), SMALL).status == 204
    through.die_during(image_id, b"some data", where, done=done)
    gc = Manage(through.cloud, through.glance)
    deadline = time.monotonic() + 20 * GRACE
    while through.api.show(image_id)["status"] == "saving":
        assert time.monotonic() < deadline
        time.sleep(GRACE)
        gc("gc", "--delete", "--force")
    assert through.api.show(image_id)["status"] == "queued"
    assert not through.left(image_id)


@pytest.fixture
def deadlocks(through: Through) -> Iterator[None]:
    """MariaDB answers the first writes of properties with a deadlock."""
    ask = through.cloud.rows
    ask("CREATE TABLE deadlocks (many INT) ENGINE = MyISAM")  # is not rolled back
    ask("INSERT INTO deadlocks VALUES (5)")
    ask("""
        CREATE TRIGGER deadlock BEFORE INSERT ON image_properties FOR EACH ROW
        IF (SELECT many FROM deadlocks) > 0 THEN
            UPDATE deadlocks SET many = many - 1;
            SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213,
                MESSAGE_TEXT = 'Deadlock found when trying to get lock';
        END IF
    """)
    yield
    left = ask("SELECT many FROM deadlocks")
    ask("DROP TRIGGER deadlock")
    ask("DROP TABLE deadlocks")
    assert left == ((0,),)


@pytest.mark.usefixtures("deadlocks")
def test_the_next_upload_takes_over_after_deadlocks(through: Through) -> None:
    """Glance tries again for seconds: the image is younger than its first mark."""
    image_id = through.api.create()
    data = die_during(through, image_id, "a small object is on its way")
    take_over(through.api, image_id, data)


@pytest.mark.parametrize("stage", tiers.but(["it is committed"], STAGES))
def test_stock_sees_what_it_would_have_left_itself(
    through: Through, stage: str
) -> None:
    """The filter is taken out in that moment: the image can be deleted."""
    image_id = through.api.create()
    die_during(through, image_id, stage)
    stock = through.cloud.api(ALICE, gateway=False)
    assert stock.show(image_id)["status"] == "saving"
    assert stock.upload(image_id, SMALL).status == 409
    assert stock.delete(image_id).status == 204


def test_it_is_deleted_meanwhile(through: Through) -> None:
    image_id = through.api.create()
    stall = through.proxy.add(s3_faults.Stall(), method="PUT", query="partNumber=2")
    statuses: list[int] = []

    def upload() -> None:
        statuses.append(through.api.upload(image_id, LARGE).status)

    client = threading.Thread(target=upload)
    client.start()
    assert stall.reached.wait(60)
    assert through.api.delete(image_id).status == 204
    through.proxy.clear()
    client.join()
    assert statuses == [410]
    assert not through.left(image_id)


@pytest.mark.parametrize("visibility", ["private", "public"])
def test_it_is_given_to_others_meanwhile(through: Through, visibility: str) -> None:
    """Who uploads may write it no more: whose it is now, has to be able to."""
    image_id = through.api.create()
    admin = Api(through.api.url, ADMIN)
    stall = through.proxy.add(s3_faults.Stall(), method="PUT", key=image_id)
    with futures.ThreadPoolExecutor(1) as pool:
        uploading = pool.submit(upload, through.api, image_id, SMALL)
        assert stall.reached.wait(60)
        time.sleep(2)  # longer than a mark and a change are taken for one
        given = [{"op": "replace", "path": "/owner", "value": "globex"}]
        given += [{"op": "replace", "path": "/visibility", "value": visibility}]
        assert admin.patch(image_id, *given).status == 200
        through.proxy.clear()
        assert uploading.result() in (403, 410)
    assert not through.left(image_id)
    bob = Api(through.api.url, BOB)
    assert bob.show(image_id)["status"] == "queued"
    assert bob.upload(image_id, SMALL).status == 204


@pytest.mark.parametrize(
    "name",
    [
        "OS_GLANCE_S3GATEWAY_UPLOAD",
        "\u00f6s_glance_s3gateway_upload",
        "Os_glance_s3gateway_upload ",
    ],
)
def test_a_name_that_the_database_takes_for_the_marks(
    through: Through, name: str
) -> None:
    image_id = through.api.create(**{name: "a user's"})
    assert through.api.upload(image_id, SMALL).status == 204
    assert through.api.show(image_id)[name] == "a user's"


Deed = Callable[[Api, str, bytes], int]


def upload(api: Api, image_id: str, data: bytes) -> int:
    return api.upload(image_id, data).status


def delete(api: Api, image_id: str, data: bytes) -> int:
    return api.delete(image_id).status


def deactivate(api: Api, image_id: str, data: bytes) -> int:
    path = f"/v2/images/{image_id}/actions/deactivate"
    return Api(api.url, ADMIN).request("POST", path).status


def change(api: Api, image_id: str, data: bytes) -> int:
    patch = {"op": "add", "path": "/note", "value": "changed"}
    return api.patch(image_id, patch).status


def copy_image(api: Api, image_id: str, data: bytes) -> int:
    method = {"method": {"name": "copy-image"}, "stores": ["cheap"]}
    path = f"/v2/images/{image_id}/import"
    body = json.dumps(method).encode()
    admin = Api(api.url, ADMIN)
    status = admin.request("POST", path, body, Content_Type="application/json").status
    if status == 202:
        api.wait_until(image_id, lambda shown: "cheap" in shown["stores"])
    return status


@pytest.mark.parametrize("seed", tiers.but(range(4), range(200)))
@pytest.mark.parametrize(
    "other", ["filter", "stock", "delete", "deactivate", "copy-image"]
)
def test_races(clouds: Callable[[int], Cloud], other: str, seed: int) -> None:
    """There is one truth each time, and nothing of the other is left."""
    cloud = clouds(33)
    chance = random.Random(seed)  # noqa: S311
    size = chance.choice([1000, 300_000, 9 * MIB])
    one = cloud.api(ALICE, gateway=True, config=CONFIG)
    there = {
        "filter": cloud.api(ALICE, gateway=True, threads=9, config=CONFIG),
        "stock": cloud.api(ALICE, gateway=False),
    }.get(other, one)
    deeds = {"delete": delete, "deactivate": deactivate, "copy-image": copy_image}
    deed: Deed = deeds.get(other, upload)
    image_id = one.create()
    data = [chance.randbytes(size) for _ in range(2)]
    answers = [0, 0]

    def first() -> None:
        answers[0] = upload(one, image_id, data[0])

    def second() -> None:
        time.sleep(chance.choice([0.0, 0.02, 0.1]))
        answers[1] = deed(there, image_id, data[1])

    threads = [threading.Thread(target=work) for work in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if other == "delete":
        assert answers[1] == 204, answers
        assert answers[0] in (204, 404, 409, 410), answers
        # Glance deletes what it has read: data that came a moment later stays, as of
        # stock, and gc collects it.
        assert len(cloud.kept(image_id)) <= (answers[0] == 204), answers
        return
    image = one.show(image_id)
    if other == "deactivate":
        assert answers[0] == 204, answers
        assert (image["status"] == "deactivated") == (answers[1] == 204), answers
    elif other == "copy-image":
        assert answers[0] == 204, answers
        assert answers[1] in (202, 409), answers
        assert ("cheap" in image["stores"]) == (answers[1] == 202), answers
    else:
        assert answers.count(204) == 1, answers
        assert sum(answers) - 204 in (409, 410), answers
        assert image["status"] == "active"
    stored = data[1 if answers[0] != 204 else 0]
    assert image["os_hash_value"] == hashlib.sha512(stored).hexdigest()
    assert Api(one.url, ADMIN).download(image_id).body == stored
    assert len(cloud.kept(image_id)) == (2 if answers[1] == 202 else 1)


@pytest.mark.parametrize("seed", tiers.but(range(4), range(60)))
def test_a_change_meets_an_upload(clouds: Callable[[int], Cloud], seed: int) -> None:
    """Glance writes what it has read: a change may write the status from before."""
    cloud = clouds(33)
    api = cloud.api(ALICE, gateway=True, config=CONFIG)
    image_id = api.create()
    data = random.Random(seed).randbytes(1000)  # noqa: S311
    with futures.ThreadPoolExecutor(1) as pool:
        uploading = pool.submit(upload, api, image_id, data)
        time.sleep(seed % 6 / 100)
        change(api, image_id, b"")
        answer = uploading.result()
    status = api.show(image_id)["status"]
    placed = cloud.sql(
        f"SELECT value FROM image_locations WHERE image_id = '{image_id}'"  # noqa: S608
    )
    assert len(cloud.kept(image_id)) == bool(placed), (answer, status)
    if answer == 204:
        assert placed
        assert api.show(image_id)["status"] in ("active", "saving", "queued")
    else:
        assert (status, placed) == ("queued", ""), answer


def test_many_at_once(clouds: Callable[[int], Cloud]) -> None:
    """Each to its own image: none blocks another in the database."""
    cloud = clouds(33)
    api = cloud.api(ALICE, gateway=True, config=CONFIG)
    cloud.sql("DELETE FROM image_properties")
    for _ in range(5):
        images = [api.create() for _ in range(8)]
        with futures.ThreadPoolExecutor(8) as pool:
            answers = pool.map(lambda image_id: upload(api, image_id, SMALL), images)
            assert set(answers) == {204}

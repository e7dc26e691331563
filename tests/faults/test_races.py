# SPDX-License-Identifier: Apache-2.0
"""Two uploads to one image at once: one of them wins, and there is one truth."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import pathlib
import random
import socket
import threading
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import tiers
from tests.support.clients.api import Api
from tests.support.faults import s3_faults
from tests.support.faults.through import Through
from tests.support.faults.through import through_proxy
from tests.support.people import ALICE
from tests.support.s3 import rclone
from tests.support.servers.cloud import Cloud
from tests.support.servers.mariadb import MariaDB

MIB = 1024**2
SIZE = 12 * MIB  # three parts


@dataclasses.dataclass
class Held:
    """An upload that holds back its last bytes."""

    api: Api
    image_id: str
    data: bytes
    connection: socket.socket
    early: bytes = b""

    @classmethod
    def begin(cls, api: Api, image_id: str, seed: int) -> Held:
        data = random.Random(seed).randbytes(SIZE)  # noqa: S311
        connection = api.connect()
        head = (
            f"PUT /v2/images/{image_id}/file HTTP/1.1\r\nHost: glance\r\n"
            f"X-Auth-Token: {api.token}\r\nContent-Length: {SIZE}\r\n"
            "Content-Type: application/octet-stream\r\nConnection: close\r\n\r\n"
        )
        connection.sendall(head.encode())
        return cls(api, image_id, data, connection)

    def send_all_but_the_end(self) -> None:
        with contextlib.suppress(ConnectionError):  # it was answered before
            self.connection.sendall(self.data[:-1])

    def finish(self) -> int:
        """Send the last byte; return the status of the answer, 0 if none came."""
        answer = b""
        with self.connection, contextlib.suppress(ConnectionError):
            with contextlib.suppress(BrokenPipeError):
                self.connection.sendall(self.data[-1:])
            while more := self.connection.recv(65536):
                answer += more
        return int(answer.split(b" ", 2)[1]) if answer else 0


def race(one: Api, other: Api, seed: int) -> tuple[str, list[int], list[bytes]]:
    """Let two uploads reach their last byte, then finish both together.

    :return: the image, the statuses of the answers, and what was uploaded
    """
    image_id = one.create()
    uploads = [
        Held.begin(api, image_id, seed + i) for i, api in enumerate((one, other))
    ]
    together(*[upload.send_all_but_the_end for upload in uploads])
    statuses = [0, 0]

    def finish(index: int) -> None:
        statuses[index] = uploads[index].finish()

    together(lambda: finish(0), lambda: finish(1))
    return image_id, statuses, [upload.data for upload in uploads]


def together(*calls: object) -> None:
    threads = [threading.Thread(target=call) for call in calls]  # type: ignore[arg-type]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def one_truth(
    cloud: Cloud, image_id: str, statuses: list[int], data: list[bytes]
) -> None:
    """The image is one of the two, whole, and nothing of the other is left."""
    # Glance answers 410 to an upload that loses after its start
    assert sorted(statuses) in ([204, 409], [204, 410])
    api = cloud.api(ALICE, gateway=True)
    image = api.show(image_id)
    assert image["status"] == "active"
    body = api.download(image_id).body
    assert hashlib.sha512(body).hexdigest() == image["os_hash_value"]
    assert body == data[statuses.index(204)]
    assert cloud.api(ALICE, gateway=False).download(image_id).body == body
    [row] = rows(cloud, image_id)
    objects = [*cloud.objects("fast"), *cloud.objects("cheap")]
    [kept] = [key for key in objects if image_id in key]
    assert row.endswith(f"/{kept}")
    assert not [key for key in cloud.uploads("fast") if image_id in key]


def rows(cloud: Cloud, image_id: str) -> list[str]:
    """Return the locations in Glance's database that it has not deleted."""
    return cloud.sql(
        "SELECT value FROM image_locations WHERE NOT deleted "  # noqa: S608
        f"AND image_id = '{image_id}'"
    ).split()


BY_API = {"s3gateway": {"registration": "api"}}
SEEDS = tiers.but(range(1), range(20))


@pytest.fixture(scope="module")
def careless(workspace: pathlib.Path, database: MariaDB) -> Iterator[Cloud]:
    """A cloud whose S3 ignores conditional writes."""
    with contextlib.ExitStack() as stack:
        s3 = stack.enter_context(rclone.serving(workspace / "rclone"))
        yield Cloud(33, workspace / "careless", database, s3, stack, name="careless")


@pytest.mark.full
@pytest.mark.parametrize("seed", range(20))
def test_two_gateways_on_a_store_that_ignores_conditions(
    careless: Cloud, seed: int
) -> None:
    one = careless.api(ALICE, gateway=True, config=BY_API)
    other = careless.api(ALICE, gateway=True, threads=9, config=BY_API)
    one_truth(careless, *race(one, other, seed))


@pytest.mark.parametrize("config", [{}, BY_API], ids=["", "by API"])
@pytest.mark.parametrize("seed", SEEDS)
def test_two_gateways(cloud: Cloud, config: dict[str, Any], seed: int) -> None:
    one = cloud.api(ALICE, gateway=True, config=config)
    other = cloud.api(ALICE, gateway=True, threads=9, config=config)
    one_truth(cloud, *race(one, other, seed))


@pytest.mark.parametrize("config", [{}, BY_API], ids=["", "by API"])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_gateway_and_stock(cloud: Cloud, config: dict[str, Any], seed: int) -> None:
    one = cloud.api(ALICE, gateway=True, config=config)
    other = cloud.api(ALICE, gateway=False)
    pair = (one, other) if seed % 2 else (other, one)
    image_id, statuses, data = race(*pair, seed)
    # Stock refuses a body and closes the connection on it, so that its answer is lost.
    statuses[pair.index(other)] = statuses[pair.index(other)] or 409
    one_truth(cloud, image_id, statuses, data)


@pytest.fixture(scope="module")
def through(clouds: Callable[[int], Cloud]) -> Iterator[Through]:
    with through_proxy(clouds(33), ALICE, options=BY_API["s3gateway"]) as found:
        yield found


@pytest.mark.parametrize("stores", ["fast fast", "fast cheap", "cheap fast"])
@pytest.mark.parametrize("seed", tiers.but(range(2), range(20)))
def test_two_that_claim_at_once(
    cloud: Cloud, through: Through, seed: int, stores: str
) -> None:
    """S3 says of a conditional write that it met another: it is to be repeated."""
    apis = [cloud.api(ALICE, gateway=True, config=BY_API), through.api]
    image_id = apis[0].create()
    met = s3_faults.Answer(409, "ConditionalRequestConflict")
    claim = rf"/\.s3gateway/{image_id}$"
    happening = through.proxy.add(met, method="PUT", key=claim, times=1)
    data = [random.Random(seed + i).randbytes(MIB) for i in range(2)]  # noqa: S311
    statuses = [0, 0]

    def upload(index: int) -> None:
        store = stores.split()[index]
        answer = apis[index].upload(image_id, data[index], X_Image_Meta_Store=store)
        statuses[index] = answer.status

    together(lambda: upload(0), lambda: upload(1))
    assert happening.events
    one_truth(cloud, image_id, statuses, data)

# SPDX-License-Identifier: Apache-2.0
"""Mixed load for a long time, with faults, restarts and rotated keys."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import time
from collections.abc import Iterator
from concurrent import futures

import pytest
import requests
from oslo_utils import uuidutils

from tests.soak import summary
from tests.soak.clients import Client
from tests.soak.clients import Data
from tests.soak.clients import Unexpected
from tests.soak.clients import same
from tests.soak.diary import Diary
from tests.soak.ground import FILTER
from tests.soak.ground import GRACE
from tests.soak.ground import RESTARTED
from tests.soak.ground import SEALED
from tests.soak.ground import Ground
from tests.soak.ground import laid_out
from tests.soak.summary import Look
from tests.soak.trouble import Trouble
from tests.support import dashboard
from tests.support.clients.api import Api
from tests.support.clients.api import Response
from tests.support.people import ADMIN
from tests.support.s3.s3server import S3Server
from tests.support.servers.cloud import Cloud
from tests.support.servers.manage import Manage
from tests.support.servers.mariadb import MariaDB

MINUTES = float(os.environ.get("S3GATEWAY_SOAK", "10"))
SEED = int(os.environ.get("S3GATEWAY_SEED", "20261127"))
OUTPUT = os.environ.get("S3GATEWAY_SOAK_OUTPUT", "")

pytestmark = [pytest.mark.full, pytest.mark.timeout(MINUTES * 120 + 1800)]

CLIENTS = 9  # three of each gateway
_ROUND = 45.0  # seconds of work; after each of them all is idle for a moment
_LEAST = 4  # rounds: each restart once


@pytest.fixture
def ground(
    workspace: pathlib.Path, database: MariaDB, s3: S3Server
) -> Iterator[Ground]:
    """Servers over a database and buckets that nobody else uses."""
    with contextlib.ExitStack() as stack:
        home = workspace / "soak"
        cloud = Cloud(33, home, database, s3, stack, name="soak")
        with laid_out(cloud, home / "ground") as found:
            yield found
        cloud.ask_to_stop()


class Soak:
    """A run.

    :ivar looks: what each steady worker held after each round
    """

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.diary = Diary(by_api=[SEALED])
        self.looks: dict[str, list[Look]] = {}
        names = list(ground.clients)
        self.clients = [
            Client(number, names[number % 3], self._url(names[number % 3]), self.diary)
            for number in range(CLIENTS)
        ]
        self.trouble = Trouble(
            ground.s3, ground.clients, ground.keys.rotate, self.diary, SEED
        )
        self._began = time.monotonic()

    def _url(self, name: str) -> str:
        return self.ground.clients[name].endpoint

    def round(self, number: int) -> None:
        """Let all clients work, and everything go wrong, for a while."""
        restart = self.ground.restarts[number % len(self.ground.restarts)]
        self._ask_whether_all_is_ready()
        began = time.monotonic()
        until = began + _ROUND
        with futures.ThreadPoolExecutor(len(self.clients)) as pool:
            working = [pool.submit(client.work, until) for client in self.clients]
            self.trouble.round(_ROUND, restart)
            for each in working:
                each.result()
        self.trouble.settle(began)
        at = time.monotonic() - self._began
        for name, census in self.ground.census().items():
            self.looks.setdefault(name, []).append(Look(at, census))
            print(f"round {number + 1} at {at:.0f} s, {name}: {census}")

    def _ask_whether_all_is_ready(self) -> None:
        """Have the workers of the filters look at their stores, as a balancer has."""
        for _ in range(4):
            for name in (FILTER, RESTARTED):
                requests.get(f"{self._url(name)}/readiness", timeout=60)

    def not_as_they_must_be(self) -> list[str]:
        """Return the images that are not what was uploaded."""
        api = self.ground.cloud.api(ADMIN, gateway=False)
        found = []
        for client in self.clients:
            for image, data in {**client.images, **client.uncertain}.items():
                wrong = self._wrong(api, image, data, must_be=image in client.images)
                if wrong and not (
                    # nothing but that is left to be done
                    image in client.half_deleted and api.delete(image).status == 204
                ):
                    found += [f"{image} {wrong}", *self.diary.of_image(image)]
            found += [
                f"{image} is there again"
                for image in client.gone
                if api.request("GET", f"/v2/images/{image}").status != 404
            ]
        return found

    def _wrong(self, api: Api, image: str, data: Data, *, must_be: bool) -> str:
        """Return what is wrong with an image, empty if nothing is."""
        answer = api.request("GET", f"/v2/images/{image}")
        status = answer.json()["status"] if answer.status == 200 else "gone"
        if status == "active":
            return _other_than(data, api.download(image))
        return f"is {status}" if must_be else ""

    def collected(self) -> list[str]:
        """Collect what uploads have left; return what is there and nobody's then."""
        manage = Manage(self.ground.cloud, self.ground.glance)
        time.sleep(GRACE + 5)
        before = manage("gc")
        done = manage("gc", "--delete", "--force")
        print(f"gc: {before.summary}; then {done.summary}")
        verified = manage("verify", "--all", "--deep")
        print(f"verify: {verified.summary}")
        doubtful = {image for client in self.clients for image in client.uncertain}
        found = [
            str(row)
            for row in verified.rows
            if row["state"] == "bad"
            or (row["state"] == "unknown" and row["image"] not in doubtful)
        ]
        return [*self._nobodys(), *found]

    def _nobodys(self) -> list[str]:
        """Return objects that no image refers to, and uploads that are open.

        What Glance's own driver leaves has the name of the image alone, and is its own.
        """
        cloud = self.ground.cloud
        rows = cloud.rows("SELECT value FROM image_locations WHERE deleted = 0")
        keys = {re.split(r"[/?]", str(value))[-1] for (value,) in rows}
        left = [key for key in cloud.kept() if key.rpartition("/")[2] not in keys]
        drivers = [key for key in left if uuidutils.is_uuid_like(key)]
        print(f"Glance's own driver left {len(drivers)} objects and uploads")
        return [key for key in left if key not in drivers]


def _other_than(data: Data, answer: Response) -> str:
    """Return what is wrong with a download, empty if nothing is."""
    if answer.status != 200:
        return f"cannot be downloaded: {answer.status}"
    try:
        same(answer.body, data.bytes())
    except Unexpected as error:
        return f"has {error}: {error.__cause__}"
    return ""


def test_all_stays_well(ground: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    soak = Soak(ground)
    began = time.time()
    until = time.monotonic() + MINUTES * 60
    number = 0
    while number < _LEAST or time.monotonic() < until:
        with capsys.disabled():
            soak.round(number)
        number += 1
    ended = time.time()
    _keep_what_prometheus_saw(ground, began, ended)
    with capsys.disabled():
        wrong, left = soak.not_as_they_must_be(), soak.collected()
        lines = [*summary.tables(soak.diary, soak.trouble.happened, soak.looks)]
        lines += [str(deed) for deed in soak.diary.unexplained()[:20]]
        lines += [*wrong, *left]
        minutes = (ended - began) / 60
        images = sum(len(client.images) for client in soak.clients)
        lines.append(f"{number} rounds, {minutes:.0f} minutes, {images} images, {SEED}")
        print(*lines, sep="\n")
        _write("soak.txt", "\n".join([*lines, ""]))
    assert soak.diary.unexplained() == []
    assert wrong == []
    assert left == []
    assert summary.grown(soak.looks) == []


def _keep_what_prometheus_saw(ground: Ground, began: float, ended: float) -> None:
    if ground.prometheus is not None and OUTPUT:
        seen = dashboard.recorded(ground.prometheus, began, ended)
        _write("dashboard.json", json.dumps(seen, separators=(",", ":")) + "\n")


def _write(name: str, text: str) -> None:
    if OUTPUT:
        directory = pathlib.Path(OUTPUT)
        directory.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)

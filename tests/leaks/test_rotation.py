# SPDX-License-Identifier: Apache-2.0
"""Keys from files are rotated under load, and no request is lost."""

from __future__ import annotations

import itertools
import pathlib
import threading
import time

from tests.support.clients.api import Api
from tests.support.people import ALICE
from tests.support.s3 import swift
from tests.support.s3 import swiftkeys
from tests.support.servers.cloud import Cloud

PAIRS = [
    (swiftkeys.ACCESS_KEY, swift.SECRET_KEY),
    (swiftkeys.OTHER_ACCESS_KEY, swift.OTHER_SECRET_KEY),
]


class Load:
    """A client that uploads and downloads until it is told to stop."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.done = threading.Event()
        self.statuses: list[int] = []
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self) -> None:
        while not self.done.is_set():
            image_id = self.api.create()
            self.statuses.append(self.api.upload(image_id, b"x" * 6_000_000).status)
            self.statuses.append(self.api.download(image_id).status)

    def go_on(self, count: int) -> None:
        """Wait until so many more requests are answered."""
        enough = len(self.statuses) + count
        deadline = time.monotonic() + 120
        while len(self.statuses) < enough:
            assert self.thread.is_alive()
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def stop(self) -> None:
        self.done.set()
        self.thread.join()


def test_rotation_under_load(cloud: Cloud, tmp_path: pathlib.Path) -> None:
    for store in ("fast", "cheap"):
        (tmp_path / f"{store}.access").write_text(PAIRS[0][0])
        (tmp_path / f"{store}.secret").write_text(PAIRS[0][1])
    options = {
        "s3_store_access_key_file": f"{tmp_path}/{{store}}.access",
        "s3_store_secret_key_file": f"{tmp_path}/{{store}}.secret",
    }
    running = cloud.glance(gateway=True, config={"s3gateway": options})
    load = Load(Api(running.url, ALICE))
    for access, secret in itertools.islice(itertools.cycle(reversed(PAIRS)), 4):
        # Between the two writes the keys do not fit each other.
        (tmp_path / "fast.access").write_text(access)
        time.sleep(0.3)
        (tmp_path / "fast.secret").write_text(secret)
        load.go_on(4)
    load.stop()
    assert set(load.statuses) == {204, 200}
    for _, secret in PAIRS:
        assert secret not in running.log

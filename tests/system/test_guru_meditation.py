# SPDX-License-Identifier: Apache-2.0
"""Glance's Guru Meditation report with the filter in the middle of an upload."""

from __future__ import annotations

import concurrent.futures
import os
import signal
import threading
import time
from collections.abc import Iterator

import psutil

from tests.leaks.surfaces import ALICE
from tests.leaks.test_surfaces import hidden
from tests.support.api import Api
from tests.support.cloud import Cloud
from tests.support.glance import Glance

DATA = b"held back\n" * 100_000


def test_a_report(cloud: Cloud) -> None:
    """It shows where the upload is, no key, and harms nothing."""
    glance = cloud.glance(gateway=True)
    api = Api(glance.url, ALICE)
    image_id = api.create()
    begun, go_on = threading.Event(), threading.Event()

    def body() -> Iterator[bytes]:
        yield DATA
        begun.set()
        assert go_on.wait(120)

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        uploading = pool.submit(api.upload, image_id, body())
        try:
            assert begun.wait(60)
            before = len(glance.log)
            for worker in psutil.Process(glance.server.pid).children():
                os.kill(worker.pid, signal.SIGUSR2)
            report = _report(glance, before)
        finally:
            go_on.set()
        assert uploading.result().status == 204
    assert "s3gateway/reception.py" in report
    assert not {"access_key", "secret_key"} & set(hidden(cloud).found_in(report))
    assert api.download(image_id).body == DATA
    api.delete(image_id)


def _report(glance: Glance, before: int) -> str:
    """Wait for a report in the log behind a position; its last section ends it."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        written = glance.log[before:]
        if "Guru Meditation" in written and "[DEFAULT]" in written.replace(" ", ""):
            return written
        time.sleep(0.1)
    raise AssertionError(glance.server.tail())

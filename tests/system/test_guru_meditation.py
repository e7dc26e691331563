# SPDX-License-Identifier: Apache-2.0
"""Glance's Guru Meditation report with the filter in the middle of an upload."""

from __future__ import annotations

import concurrent.futures
import pathlib
import threading
import time
from collections.abc import Iterator

from tests.support.clients.api import Api
from tests.support.hidden import hidden
from tests.support.people import ALICE
from tests.support.servers.cloud import Cloud
from tests.support.servers.glance import Glance

DATA = b"held back\n" * 100_000
UPLOAD = "s3gateway/upload/reception.py"


def test_a_report(cloud: Cloud, tmp_path: pathlib.Path) -> None:
    """It shows where the upload is, no key, and harms nothing.

    Under a WSGI server Glance writes one when a file is touched.
    """
    asked = tmp_path / "report"
    asked.touch()
    watch = {"file_event_handler": str(asked), "file_event_handler_interval": "1"}
    glance = cloud.glance(gateway=True, config={"oslo_reports": watch})
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
            report = _report(glance, asked)
        finally:
            go_on.set()
        assert uploading.result().status == 204
    assert not {"access_key", "secret_key"} & set(hidden(cloud).found_in(report))
    assert api.download(image_id).body == DATA
    api.delete(image_id)


def _report(glance: Glance, asked: pathlib.Path) -> str:
    """Ask for a report of the upload and return it.

    The configuration is its last section.  On a busy machine the upload may be on its
    way still when the first is written.
    """
    before, deadline = len(glance.log), time.monotonic() + 60
    while time.monotonic() < deadline:
        asked.touch()
        time.sleep(0.5)
        written = glance.log[before:]
        report = written[written.rfind("Guru Meditation") :]
        if UPLOAD in report and "s3_store_bucket" in report:
            return written
    raise AssertionError(glance.server.tail())

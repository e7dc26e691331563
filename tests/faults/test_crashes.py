# SPDX-License-Identifier: Apache-2.0
"""A gateway dies in the middle of an upload: nothing is half-done."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator

import pytest
import requests

from tests.support import tiers
from tests.support.clients.api import Api
from tests.support.clients.api import in_chunks
from tests.support.faults import s3_faults
from tests.support.faults.through import Through
from tests.support.faults.through import through_proxy
from tests.support.people import ALICE
from tests.support.servers.cloud import Cloud

MIB = 1024**2
LARGE = random.Random(33).randbytes(17 * MIB)  # noqa: S311  four parts
SMALL = LARGE[:MIB]
GRACE = 4  # seconds

# Where the gateway is when it dies: what it has asked S3 for and not heard of.
STAGES = {
    "a part is on its way": ({"method": "PUT", "query": "partNumber=2"}, False),
    "the last part is there": ({"method": "POST", "query": "uploadId"}, False),
    "it is committed": ({"method": "POST", "query": "uploadId"}, True),
    "the upload has no parts": ({"method": "POST", "query": "^uploads"}, True),
    "a small object is there": ({"method": "PUT", "key": "/ID[.]"}, True),
    "there is only a claim": ({"method": "PUT", "key": "[.]s3gateway/ID"}, True),
}


@pytest.fixture(scope="module")
def through(clouds: Callable[[int], Cloud]) -> Iterator[Through]:
    options = {
        "claim_grace": str(GRACE),
        "read_timeout": "60",
        "registration": "api",  # test_in_glance has the other way
    }
    with through_proxy(clouds(33), ALICE, options=options) as found:
        yield found


def die_during(through: Through, image_id: str, data: bytes, stage: str) -> None:
    """Upload, and kill the worker when it has come to a stage."""
    where, done = STAGES[stage]
    through.die_during(image_id, data, where, done=done)


def upload_until_taken(api: Api, image_id: str, data: bytes) -> int:
    """Upload again and again as long as another upload seems to run."""
    deadline = time.monotonic() + 10 * GRACE
    while (status := api.upload(image_id, in_chunks(data)).status) == 409:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    return status


ALWAYS = ["it is committed", "there is only a claim"]


@pytest.mark.parametrize("stage", tiers.but(ALWAYS, STAGES))
def test_the_next_upload_succeeds(through: Through, stage: str) -> None:
    api = through.api
    data = SMALL if "small" in stage or "claim" in stage else LARGE
    image_id = api.create()
    die_during(through, image_id, data, stage)
    assert api.show(image_id)["status"] == "queued"
    assert through.left(image_id)
    assert upload_until_taken(api, image_id, data) == 204
    assert api.show(image_id)["status"] == "active"
    assert api.download(image_id).body == data
    [kept] = through.left(image_id)
    assert kept.startswith(f"{image_id}.")


def test_dying_behind_the_registration(through: Through) -> None:
    """The image is active; what is left of the upload is its claim."""
    api = through.api
    image_id = api.create()
    claim = rf"\.s3gateway/{image_id}"
    stall = through.proxy.add(s3_faults.Stall(), method="DELETE", key=claim)

    def upload() -> None:
        with contextlib.suppress(requests.ConnectionError):
            api.upload(image_id, SMALL)

    client = threading.Thread(target=upload)
    client.start()
    assert stall.reached.wait(60)
    through.worker().kill()
    stall.drop()
    client.join()
    through.proxy.clear()
    assert api.show(image_id)["status"] == "active"
    assert api.download(image_id).body == SMALL
    assert api.upload(image_id, LARGE).status == 409
    *claims, kept = sorted(through.left(image_id))
    assert kept.startswith(f"{image_id}.")
    assert claims[0] == f".s3gateway/{image_id}"  # and its mark
    assert api.delete(image_id).status == 204

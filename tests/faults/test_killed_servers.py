# SPDX-License-Identifier: Apache-2.0
"""An S3 server is killed in the middle of an upload or a download, and comes back.

Its processes get SIGKILL and start again on the same port and data; the bytes on
their way are lost.  In ``test_fault_matrix`` only its connections are cut.
"""

from __future__ import annotations

import contextlib
import pathlib
import random
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from concurrent import futures
from typing import TypeVar

import pytest
import requests

from tests.support.clients.api import Api
from tests.support.clients.api import in_chunks
from tests.support.people import ALICE
from tests.support.s3 import catalog
from tests.support.servers.cloud import Cloud
from tests.support.servers.mariadb import MariaDB

T = TypeVar("T")

MIB = 1024**2
PART = 5 * MIB
DATA = random.Random(99).randbytes(40 * MIB + 1)  # noqa: S311  nine parts
GRACE = 3  # seconds
AWAY = 1.0  # seconds
TIMEOUTS = {"connect_timeout": "2", "read_timeout": "5", "claim_grace": str(GRACE)}
# Data that nobody has asked for yet must not be in memory.
SHORT = {"download_piece": "1", "download_window": "2"}
PATIENT = {"s3gateway": {**TIMEOUTS, **SHORT, "retry_time": "120"}}
IMPATIENT = {"s3gateway": {**TIMEOUTS, **SHORT, "retry_time": "2"}}

pytestmark = pytest.mark.full


#: Those with a process of their own that can be killed, and a Glance before them.
SERVERS = ("swift", "rgw", "minio")


@pytest.fixture(scope="module", params=SERVERS)
def mortal(
    request: pytest.FixtureRequest, workspace: pathlib.Path, database: MariaDB
) -> Iterator[Cloud]:
    """A cloud on its own S3 server."""
    name = request.param
    if reason := catalog.missing(name):
        pytest.skip(f"{name} was not run: {reason}")
    home = workspace / f"mortal-{name}"
    with contextlib.ExitStack() as stack:
        s3 = stack.enter_context(catalog.serving(name, home / "s3"))
        yield Cloud(33, home, database, s3, stack, name=f"mortal{name}")


def has_a_part(cloud: Cloud, image_id: str) -> bool:
    """Whether S3 has the first part of an upload to an image."""
    client, bucket = cloud.s3.client(), cloud.bucket("fast")
    uploads = client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    return any(
        client.list_parts(
            Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"]
        ).get("Parts", [])
        for upload in uploads
        if upload["Key"].startswith(image_id)
    )


def killing(cloud: Cloud, image_id: str, killed: Callable[[], None]) -> Iterator[bytes]:
    """Yield the data; S3 is killed when it has a part and more are on their way."""
    begun = 2 * PART + MIB  # a part is sent when it is known not to be the last
    yield from in_chunks(DATA[:begun])
    deadline = time.monotonic() + 120
    while not has_a_part(cloud, image_id):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield from in_chunks(DATA[begun : 3 * PART])
    cloud.s3.kill()
    killed()
    yield from in_chunks(DATA[3 * PART :])


def while_s3_comes_back(cloud: Cloud, use: Callable[[Callable[[], None]], T]) -> T:
    """Let a client work that tells when it has killed S3; start S3 again then."""
    killed = threading.Event()
    with futures.ThreadPoolExecutor(1) as pool:
        result = pool.submit(use, killed.set)
        while not killed.wait(0.1):
            assert not result.done(), result.result()
        time.sleep(AWAY)
        cloud.s3.start_again()
        return result.result()


def test_mid_upload(mortal: Cloud) -> None:
    glance = mortal.glance(gateway=True, config=PATIENT)
    api = Api(glance.url, ALICE)
    image_id = api.create()

    def upload(killed: Callable[[], None]) -> int:
        return api.upload(image_id, killing(mortal, image_id, killed)).status

    assert while_s3_comes_back(mortal, upload) == 204
    assert f"object {image_id}" in tried_again(glance.log)
    is_whole(mortal, api, image_id)


def test_mid_upload_and_away_for_long(mortal: Cloud) -> None:
    api = Api(mortal.glance(gateway=True, config=IMPATIENT).url, ALICE)
    image_id = api.create()
    body = killing(mortal, image_id, lambda: None)
    # The answer may come while the body is still being sent.
    with contextlib.suppress(requests.ConnectionError):
        assert api.upload(image_id, body).status == 500
    assert api.show(image_id)["status"] == "queued"
    mortal.s3.start_again()
    deadline = time.monotonic() + 120
    while (status := api.upload(image_id, DATA).status) in (409, 503):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert status == 204
    is_whole(mortal, api, image_id)


def test_mid_download(mortal: Cloud) -> None:
    glance = mortal.glance(gateway=True, config=PATIENT)
    api = Api(glance.url, ALICE)
    image_id = api.create()
    assert api.upload(image_id, DATA).status == 204
    before = len(tried_again(glance.log))

    def download(killed: Callable[[], None]) -> bytes:
        with reading(api, image_id) as pieces:
            first = next(pieces)
            mortal.s3.kill()
            killed()
            return first + b"".join(pieces)

    assert while_s3_comes_back(mortal, download) == DATA
    assert len(tried_again(glance.log)) > before
    is_whole(mortal, api, image_id)


def test_mid_download_and_away_for_long(mortal: Cloud) -> None:
    api = Api(mortal.glance(gateway=True, config=IMPATIENT).url, ALICE)
    image_id = api.create()
    assert api.upload(image_id, DATA).status == 204
    with reading(api, image_id) as pieces:
        assert next(pieces)
        mortal.s3.kill()
        with pytest.raises(requests.RequestException):
            b"".join(pieces)
    mortal.s3.start_again()
    is_whole(mortal, api, image_id)


@contextlib.contextmanager
def reading(api: Api, image_id: str) -> Iterator[Iterator[bytes]]:
    """Yield an image's data, piece by piece."""
    answer = requests.get(
        f"{api.url}/v2/images/{image_id}/file",
        headers={"X-Auth-Token": api.token},
        stream=True,
        timeout=180,
    )
    with contextlib.closing(answer):
        assert answer.status_code == 200
        yield answer.iter_content(64 * 1024)


def tried_again(log: str) -> str:
    """Return the lines that say that S3 was asked again."""
    return "\n".join(line for line in log.splitlines() if "again" in line)


def is_whole(cloud: Cloud, api: Api, image_id: str) -> None:
    """The image can be read with and without the gateway, and nothing else is left."""
    assert api.show(image_id)["status"] == "active"
    assert api.download(image_id).body == DATA
    assert cloud.api(ALICE, gateway=False).download(image_id).body == DATA
    [kept] = cloud.kept(image_id)
    assert kept.startswith(f"{image_id}.")
    assert api.delete(image_id).status == 204
    assert not cloud.kept(image_id)

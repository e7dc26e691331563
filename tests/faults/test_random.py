# SPDX-License-Identifier: Apache-2.0
"""Hundreds of random faults: nothing is lost, and nothing is half-done.

``S3GATEWAY_SEED`` and ``S3GATEWAY_RUNS`` choose other runs, and more of them; a run
that failed is repeated with its own seed.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from collections.abc import Iterator

import pytest
import requests

from tests.support.clients.api import Api
from tests.support.clients.api import in_chunks
from tests.support.faults.chaos import Chaos
from tests.support.faults.chaos import Plan
from tests.support.faults.chaos import plan
from tests.support.faults.tally import TALLY
from tests.support.faults.tally import Tally
from tests.support.faults.through import Through
from tests.support.faults.through import through_proxy
from tests.support.people import ALICE
from tests.support.servers.cloud import Cloud

SEED = int(os.environ.get("S3GATEWAY_SEED", "20261121"))
RUNS = int(os.environ.get("S3GATEWAY_RUNS", "220"))
GRACE = 3  # seconds

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def tally(pytestconfig: pytest.Config) -> Tally:
    """Where runs are counted; the summary of all tests shows it."""
    return pytestconfig.stash.setdefault(TALLY, Tally(SEED))


@pytest.fixture(scope="module", params=["auto", "api"])
def through(
    request: pytest.FixtureRequest, clouds: Callable[[int], Cloud]
) -> Iterator[Through]:
    options = {
        "claim_grace": str(GRACE),
        "download_piece": "1",
        "read_timeout": "3",
        "retry_time": "5",
        "verify_downloads": "true",
        "registration": request.param,
    }
    with through_proxy(clouds(33), ALICE, options=options) as found:
        yield found


@pytest.mark.parametrize(
    ("through", "seed"),
    [(("auto", "api")[seed % 2], seed) for seed in range(SEED, SEED + RUNS)],
    indirect=["through"],
    scope="module",
)
def test_nothing_is_lost_or_half_done(
    through: Through, tally: Tally, seed: int
) -> None:
    tally.started += 1
    run = plan(seed)
    image_id = through.api.create()
    if run.operation != "upload":
        assert upload_until_taken(through.api, image_id, run.data) == 204
    chaos = Chaos(run, through, image_id)
    try:
        outcome = OPERATIONS[run.operation](through, image_id, run)
    finally:
        chaos.end()
    events = chaos.events
    print(run, *events, f"-> {outcome}", sep="\n  ")
    if run.arrives_late == "upload" or run.dies == "gateway":
        abort_what_has_no_part(through, image_id)
    AFTERWARDS[run.operation](through, image_id, run, outcome)
    through.api.delete(image_id)
    assert not through.left(image_id)
    if not events:
        tally.unfired += 1
        return
    tally.outcomes[run.operation, run.name, outcome] += 1
    tally.lines.append(f"{run}: happened {len(events)} times, first: {events[0]}")


def upload(through: Through, image_id: str, run: Plan) -> str:
    body = in_chunks(run.data) if run.chunked else run.data
    try:
        return str(through.api.upload(image_id, body).status)
    except requests.ConnectionError:
        assert run.dies == "gateway"
        return "connection broken"


def after_upload(through: Through, image_id: str, run: Plan, outcome: str) -> None:
    """The image is there, whole, or it is not, and can be uploaded."""
    image = through.api.show(image_id)
    if outcome == "204":
        assert image["status"] == "active"
    elif outcome != "connection broken":
        assert image["status"] == "queued"
        left = through.left(image_id)
        if run.arrives_late == "claim":
            # Nobody was there any more to withdraw it: the next upload takes it over.
            assert left in ([], [f".s3gateway/{image_id}"])
        else:
            assert not left
    if image["status"] != "active":  # Glance's own way leaves ``saving`` when killed
        assert upload_until_taken(through.api, image_id, run.data) == 204
    whole(through, image_id, run.data)


def abort_what_has_no_part(through: Through, image_id: str) -> None:
    """Abort uploads that began when nobody waited for them any more, as gc does.

    They hold nothing, and no gateway knows of them: one that is killed in Glance may
    have had no time to name its upload.
    """
    client, bucket = through.cloud.s3.client(), through.cloud.bucket("fast")
    found = client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    for upload in found:
        if upload["Key"].startswith(image_id):
            which = {"Key": upload["Key"], "UploadId": upload["UploadId"]}
            if not client.list_parts(Bucket=bucket, **which).get("Parts"):
                client.abort_multipart_upload(Bucket=bucket, **which)


def whole(through: Through, image_id: str, data: bytes) -> None:
    """The image is as Glance shows it, and nothing else is left."""
    image = through.api.show(image_id)
    assert (image["status"], image["size"]) == ("active", len(data))
    stock = through.cloud.api(ALICE, gateway=False)
    assert downloaded(stock, image_id) == data
    assert downloaded(through.api, image_id) == data
    [kept] = through.left(image_id)
    assert kept.startswith(f"{image_id}.")


def downloaded(api: Api, image_id: str) -> bytes:
    """Download again and again as long as S3 is too slow on a busy machine."""
    deadline = time.monotonic() + 20 * GRACE
    while True:
        with contextlib.suppress(requests.RequestException):
            answer = api.download(image_id)
            if answer.status == 200:
                return answer.body
        assert time.monotonic() < deadline
        time.sleep(0.5)


def upload_until_taken(api: Api, image_id: str, data: bytes) -> int:
    """Upload again and again as long as an upload that died seems to run.

    Or as S3 is too slow on a busy machine: nothing else goes wrong now.
    """
    deadline = time.monotonic() + 20 * GRACE
    while (status := api.upload(image_id, data).status) in (409, 500, 503):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    return status


def download(through: Through, image_id: str, run: Plan) -> str:
    answer = requests.get(
        f"{through.api.url}/v2/images/{image_id}/file",
        headers={"X-Auth-Token": through.api.token},
        stream=True,
        timeout=120,
    )
    with contextlib.closing(answer):
        if answer.status_code != 200:
            return str(answer.status_code)
        data = bytearray()
        try:
            for piece in answer.iter_content(64 * 1024):
                data += piece
        except requests.RequestException:
            # A byte that is wrong is noticed when the last one is to leave.
            assert len(data) < run.size
            assert run.kind == "Corrupt" or run.data.startswith(bytes(data))
            return "200, then connection broken"
    assert data == run.data
    return "200"


def after_download(through: Through, image_id: str, run: Plan, outcome: str) -> None:
    assert outcome[0] in "25"
    whole(through, image_id, run.data)


def delete(through: Through, image_id: str, run: Plan) -> str:
    return str(through.api.delete(image_id).status)


def after_delete(through: Through, image_id: str, run: Plan, outcome: str) -> None:
    """It is gone with its data, or can be deleted."""
    status = through.api.request("GET", f"/v2/images/{image_id}").status
    if outcome == "204":
        assert status == 404
        assert not through.left(image_id)
    else:
        assert status == 200
        assert through.api.delete(image_id).status == 204


OPERATIONS = {"upload": upload, "download": download, "delete": delete}
AFTERWARDS = {
    "upload": after_upload,
    "download": after_download,
    "delete": after_delete,
}

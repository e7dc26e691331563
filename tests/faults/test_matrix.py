# SPDX-License-Identifier: Apache-2.0
"""Each fault of S3 in an upload, a download and a delete, and its result.

The documentation shows the table: what the client sees, what Glance shows,
and what is left in S3 while the fault lasts.
"""

from __future__ import annotations

import contextlib
import dataclasses
import random
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator

import pytest
import requests

from tests.support.faults import s3_faults
from tests.support.faults.fault import Fault
from tests.support.faults.through import Through
from tests.support.faults.through import received
from tests.support.faults.through import through_proxy
from tests.support.people import ALICE
from tests.support.servers.cloud import Cloud

MIB = 1024**2
DATA = random.Random(8).randbytes(11 * MIB)  # noqa: S311  three parts
GRACE = 3  # seconds
EVER = None

WHOLE = ("active", "object")
NONE = ("queued", "nothing")
GONE = ("deleted", "nothing")


@dataclasses.dataclass(frozen=True)
class Where:
    """Requests of an image, and the first of them that a fault happens to."""

    method: str = ""
    query: str = ""
    nth: int = 1


ANY = Where()
PART = Where("PUT", "partNumber", nth=2)
COMPLETE = Where("POST", "uploadId")
READ = Where("GET")
#: The claim, the upload and the first part are there by then.
IN_MID = Where(nth=5)


@dataclasses.dataclass(frozen=True)
class Cell:
    """A fault at an operation, and what comes of it.

    :ivar status: what the client sees
    :ivar shows: the status that Glance shows, and what is in S3
    """

    fault: Callable[[], Fault]
    times: int | None
    status: str
    shows: tuple[str, str]
    where: Where = ANY


BROKEN = "200, broken"


def stall() -> Fault:
    return s3_faults.Stall()


def answer(status: int, code: str) -> Callable[[], Fault]:
    return lambda: s3_faults.Answer(status, code)


UPLOADS = {
    "latency": Cell(lambda: s3_faults.Delay(0.05), EVER, "204", WHOLE),
    "bandwidth cap": Cell(lambda: s3_faults.Rate(16 * MIB), EVER, "204", WHOLE),
    "reset before": Cell(s3_faults.ResetBefore, 1, "204", WHOLE, PART),
    "reset after": Cell(s3_faults.ResetAfter, 1, "204", WHOLE, COMPLETE),
    "stall": Cell(stall, 1, "204", WHOLE, PART),
    "500": Cell(answer(500, "InternalError"), 2, "204", WHOLE, PART),
    "SlowDown": Cell(s3_faults.SlowDown, 2, "204", WHOLE, PART),
    "200 with an error": Cell(answer(200, "InternalError"), 1, "204", WHOLE, COMPLETE),
    "truncated answer": Cell(lambda: s3_faults.Truncate(5), 1, "204", WHOLE, COMPLETE),
    "corrupt byte": Cell(
        # in the short last part, too, which may come second
        lambda: s3_faults.Corrupt(MIB // 2, upwards=True),
        1,
        "204",
        WHOLE,
        PART,
    ),
    "slow close": Cell(lambda: s3_faults.SlowClose(0.2), EVER, "204", WHOLE, PART),
    "disk full": Cell(answer(507, "XMinioStorageFull"), EVER, "413", NONE, PART),
    "500 for ever": Cell(answer(500, "InternalError"), EVER, "500", NONE, PART),
    "away before": Cell(s3_faults.ResetBefore, EVER, "500", NONE),
    "away in mid-upload": Cell(
        s3_faults.ResetBefore, EVER, "500", ("queued", "claim, upload"), IN_MID
    ),
}
DOWNLOADS = {
    "latency": Cell(lambda: s3_faults.Delay(0.05), EVER, "200", WHOLE),
    "bandwidth cap": Cell(lambda: s3_faults.Rate(16 * MIB), EVER, "200", WHOLE),
    "reset before": Cell(s3_faults.ResetBefore, 1, "200", WHOLE, READ),
    "reset after": Cell(s3_faults.ResetAfter, 1, "200", WHOLE, READ),
    "stall": Cell(lambda: s3_faults.Stall(after=MIB), 1, "200", WHOLE, READ),
    "500": Cell(answer(500, "InternalError"), 2, "200", WHOLE, READ),
    "SlowDown": Cell(s3_faults.SlowDown, 2, "200", WHOLE, READ),
    "truncated answer": Cell(lambda: s3_faults.Truncate(MIB), 1, "200", WHOLE, READ),
    "corrupt byte": Cell(lambda: s3_faults.Corrupt(MIB), 1, BROKEN, WHOLE, READ),
    "slow close": Cell(lambda: s3_faults.SlowClose(0.2), 1, "200", WHOLE, READ),
    "500 for ever": Cell(answer(500, "InternalError"), EVER, "500", WHOLE, READ),
    "away before": Cell(s3_faults.ResetBefore, EVER, "503", WHOLE),
}
#: A delete is stock Glance's: the gateway passes it through.  Its answer has no body
#: to be cut or damaged, and a stalled one waits for minutes of boto3's time-outs.
DELETES = {
    "latency": Cell(lambda: s3_faults.Delay(0.05), EVER, "204", GONE),
    "bandwidth cap": Cell(lambda: s3_faults.Rate(16 * MIB), EVER, "204", GONE),
    "reset before": Cell(s3_faults.ResetBefore, 1, "204", GONE),
    "reset after": Cell(s3_faults.ResetAfter, 1, "204", GONE),
    "500": Cell(answer(500, "InternalError"), 1, "204", GONE),
    "SlowDown": Cell(s3_faults.SlowDown, 1, "204", GONE),
    "slow close": Cell(lambda: s3_faults.SlowClose(0.2), EVER, "204", GONE),
    "500 for ever": Cell(answer(500, "InternalError"), EVER, "500", WHOLE),
    "away before": Cell(s3_faults.ResetBefore, EVER, "500", WHOLE),
}
#: Of each kind one for every run of the tests; the others are for the full tier.
ALWAYS = {
    "upload": {"reset after", "disk full"},
    "download": {"corrupt byte", "truncated answer"},
    "delete": {"away before"},
}


def rows(operation: str, cells: dict[str, Cell]) -> list[object]:
    """Return a column of the table as parameters."""
    return [
        pytest.param(
            cell,
            id=name,
            marks=() if name in ALWAYS[operation] else (pytest.mark.full,),
        )
        for name, cell in cells.items()
    ]


@pytest.fixture(scope="module")
def through(clouds: Callable[[int], Cloud]) -> Iterator[Through]:
    options = {
        "claim_grace": str(GRACE),
        "retry_time": "3",
        "verify_downloads": "true",
    }
    with through_proxy(clouds(33), ALICE, options=options) as found:
        yield found


def happening(through: Through, image_id: str, cell: Cell) -> Fault:
    return through.proxy.add(
        cell.fault(),
        method=cell.where.method,
        key=image_id,
        query=cell.where.query,
        nth=cell.where.nth,
        times=cell.times,
    )


def shown(through: Through, image_id: str) -> tuple[str, str]:
    """Return the status that Glance shows, and what there is in S3."""
    answer = through.api.request("GET", f"/v2/images/{image_id}")
    status = answer.json()["status"] if answer.status == 200 else "deleted"
    kinds = set()
    for store in ("fast", "cheap"):
        for key in through.cloud.objects(store):
            if image_id in key:
                kinds.add("claim" if key.startswith(".s3gateway/") else "object")
        if any(image_id in key for key in through.cloud.uploads(store)):
            kinds.add("upload")
    return status, ", ".join(sorted(kinds)) or "nothing"


def upload(through: Through, image_id: str) -> int:
    """Upload until no dead upload seems to run any more."""
    deadline = time.monotonic() + 20 * GRACE
    while (status := through.api.upload(image_id, DATA).status) == 409:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    return status


@pytest.mark.parametrize("cell", rows("upload", UPLOADS))
def test_uploads(through: Through, image_id: str, cell: Cell) -> None:
    fault = happening(through, image_id, cell)
    assert str(through.api.upload(image_id, DATA).status) == cell.status
    assert fault.events
    assert shown(through, image_id) == cell.shows
    through.proxy.clear()
    if cell.shows[0] == "queued":
        assert upload(through, image_id) == 204
    assert received(through.api, image_id) == (DATA, True)
    assert shown(through, image_id) == WHOLE


@pytest.mark.parametrize("cell", rows("download", DOWNLOADS))
def test_downloads(through: Through, image_id: str, cell: Cell) -> None:
    assert upload(through, image_id) == 204
    fault = happening(through, image_id, cell)
    found = "200"
    if cell.status in ("200", BROKEN):
        data, whole = received(through.api, image_id)
        found = "200" if whole else BROKEN
        assert (data == DATA) is whole
    else:
        found = str(through.api.download(image_id).status)
    assert found == cell.status
    assert fault.events
    assert shown(through, image_id) == cell.shows
    through.proxy.clear()
    assert received(through.api, image_id) == (DATA, True)


@pytest.mark.parametrize("cell", rows("delete", DELETES))
def test_deletes(through: Through, image_id: str, cell: Cell) -> None:
    assert upload(through, image_id) == 204
    fault = happening(through, image_id, cell)
    assert str(through.api.delete(image_id).status) == cell.status
    assert fault.events
    assert shown(through, image_id) == cell.shows
    through.proxy.clear()
    if cell.shows != GONE:
        assert through.api.delete(image_id).status == 204
    assert shown(through, image_id) == GONE


@pytest.mark.full
@pytest.mark.parametrize("operation", ["upload", "download"])
def test_a_server_that_is_cut_off_for_a_while(
    through: Through, image_id: str, operation: str
) -> None:
    is_upload = operation == "upload"
    if not is_upload:
        assert upload(through, image_id) == 204
    method = "PUT" if is_upload else "GET"
    held = s3_faults.Stall() if is_upload else s3_faults.Stall(after=2 * MIB)
    through.proxy.add(held, method=method, key=f"/{image_id}")
    found: list[object] = []

    def use() -> None:
        with contextlib.suppress(requests.ConnectionError):
            if is_upload:
                found.append(through.api.upload(image_id, DATA).status)
            else:
                found.append(received(through.api, image_id))

    client = threading.Thread(target=use)
    client.start()
    assert held.reached.wait(60)
    through.proxy.down()
    held.drop()
    time.sleep(0.5)
    through.proxy.up()
    client.join()
    assert found == ([204] if is_upload else [(DATA, True)])

# SPDX-License-Identifier: Apache-2.0
"""Uploads."""

from __future__ import annotations

import time

from tests.parity.record import Recorder
from tests.parity.rows import ADMIN
from tests.parity.rows import ALICE
from tests.parity.rows import BOB
from tests.parity.rows import CLIENT_GONE
from tests.parity.rows import LARGE
from tests.parity.rows import MIB
from tests.parity.rows import OBJECT_IN_THE_WAY
from tests.parity.rows import READER
from tests.parity.rows import SIZE_CAP
from tests.parity.rows import SMALL
from tests.parity.rows import active
from tests.parity.rows import row
from tests.support.clients.api import OCTETS
from tests.support.clients.api import in_chunks


@row("upload with a length", main=True)
def _(glance: Recorder) -> None:
    alice = glance.user(ALICE)
    image_id = active(alice, name="small", owner_specified="kept")
    alice.show(image_id)
    alice.request("GET", "/v2/images?name=small")
    alice.download(image_id)
    alice.delete(image_id)
    alice.request("GET", f"/v2/images/{image_id}")
    alice.download(image_id)


@row("upload in chunks", main=True)
def _(glance: Recorder) -> None:
    alice = glance.user(ALICE)
    image_id = alice.create(name="chunked")
    alice.upload(image_id, iter(alice.watched(image_id, LARGE)))
    alice.show(image_id)
    alice.download(image_id)
    alice.delete(image_id)


@row("upload of a large body with a length", main=True)
def _(glance: Recorder) -> None:
    alice = glance.user(ALICE)
    image_id = alice.create()
    alice.upload(image_id, alice.watched(image_id, LARGE))
    alice.show(image_id)
    alice.download(image_id)
    alice.delete(image_id)


@row("upload of nothing", main=True)
def _(glance: Recorder) -> None:
    alice = glance.user(ALICE)
    image_id = alice.create()
    alice.upload(image_id, b"")
    alice.show(image_id)
    alice.download(image_id)
    alice.delete(image_id)


@row("upload of nothing in chunks", main=True)
def _(glance: Recorder) -> None:
    alice = glance.user(ALICE)
    image_id = alice.create()
    alice.upload(image_id, in_chunks(b""))
    alice.show(image_id)
    alice.download(image_id)
    alice.delete(image_id)


@row("upload without any body")
def _(glance: Recorder) -> None:
    alice = glance.user(ALICE)
    image_id = alice.create()
    alice.request("PUT", f"/v2/images/{image_id}/file", Content_Type=OCTETS)
    alice.show(image_id)


@row("upload to a chosen store", main=True)
def _(glance: Recorder) -> None:
    alice = glance.user(ALICE)
    for store in ("cheap", "local"):
        image_id = alice.create()
        alice.upload(image_id, SMALL, X_Image_Meta_Store=store)
        alice.show(image_id)
        alice.download(image_id)
        alice.download(image_id, Range="bytes=1-2")
        alice.delete(image_id)


@row("upload to a store that there is not")
def _(glance: Recorder) -> None:
    alice = glance.user(ALICE)
    image_id = alice.create()
    alice.upload(image_id, SMALL, X_Image_Meta_Store="nowhere")
    alice.show(image_id)


@row("upload with another content type")
def _(glance: Recorder) -> None:
    alice = glance.user(ALICE)
    image_id = alice.create()
    alice.upload(image_id, SMALL, Content_Type="application/json")
    alice.request("PUT", f"/v2/images/{image_id}/file", SMALL)
    alice.upload(image_id, SMALL, Content_Type="application/octet-stream; charset=x")
    alice.show(image_id)


@row("upload to an image that has data")
def _(glance: Recorder) -> None:
    alice = glance.user(ALICE)
    image_id = active(alice)
    alice.upload(image_id, SMALL)
    alice.upload(image_id, in_chunks(SMALL))
    alice.show(image_id)


@row("upload without formats")
def _(glance: Recorder) -> None:
    alice = glance.user(ALICE)
    for missing in ("disk_format", "container_format"):
        image_id = alice.create(**{missing: None})
        alice.upload(image_id, SMALL)
        alice.show(image_id)


@row("upload to no image")
def _(glance: Recorder) -> None:
    alice = glance.user(ALICE)
    alice.upload("6f2c0000-0000-4000-8000-000000000000", SMALL)
    alice.upload("no-uuid", SMALL)


@row("upload by who may not")
def _(glance: Recorder) -> None:
    alice = glance.user(ALICE)
    image_id = alice.create()
    for other in (BOB, READER, ""):
        glance.user(other).upload(image_id, SMALL)
    alice.patch(
        image_id, {"op": "replace", "path": "/visibility", "value": "community"}
    )
    for other in (BOB, READER, ""):
        glance.user(other).upload(image_id, SMALL)
    alice.show(image_id)
    glance.user(ADMIN).upload(image_id, SMALL)
    alice.show(image_id)


@row("upload over the size cap")
def _(glance: Recorder) -> None:
    alice = glance.user(ALICE)
    data = bytes(SIZE_CAP + 1)
    for body in (data, in_chunks(data)):
        image_id = alice.create()
        alice.upload(image_id, body)
        alice.show(image_id)
        alice.upload(image_id, SMALL)
        alice.show(image_id)


@row("upload of another size than announced", since=31)
def _(glance: Recorder) -> None:
    alice = glance.user(ALICE)
    for announced in (len(SMALL) - 1, len(SMALL) + 1, len(SMALL), 0, -1, "many"):
        image_id = alice.create()
        alice.upload(image_id, in_chunks(SMALL), x_openstack_image_size=str(announced))
        alice.show(image_id)


@row(OBJECT_IN_THE_WAY, once=True)
def _(glance: Recorder) -> None:
    alice = glance.user(ALICE)
    image_id = alice.create()
    glance.cloud.s3.client().put_object(
        Bucket=glance.cloud.bucket("fast"), Key=image_id, Body=b"left over"
    )
    alice.upload(image_id, SMALL)
    alice.show(image_id)


@row(CLIENT_GONE, once=True)
def _(glance: Recorder) -> None:
    alice = glance.user(ALICE)
    image_id = alice.create()
    with alice.connect() as connection:
        head = (
            f"PUT /v2/images/{image_id}/file HTTP/1.1\r\nHost: glance\r\n"
            f"X-Auth-Token: {ALICE}\r\nContent-Type: {OCTETS}\r\n"
            f"Content-Length: {len(LARGE)}\r\n\r\n"
        )
        connection.sendall(head.encode() + LARGE[: 12 * MIB])
        _wait_for_an_upload(glance, image_id)
    alice.wait_until(image_id, lambda image: image["status"] == "queued")
    deadline = time.monotonic() + 15
    while glance.cloud.kept(image_id) and time.monotonic() < deadline:
        time.sleep(0.1)
    glance.note("open uploads in S3", count=_open_uploads(glance, image_id))
    alice.upload(image_id, SMALL)


def _open_uploads(glance: Recorder, image_id: str) -> int:
    return sum(image_id in key for key in glance.cloud.uploads("fast"))


def _wait_for_an_upload(glance: Recorder, image_id: str) -> None:
    deadline = time.monotonic() + 60
    while not _open_uploads(glance, image_id):
        assert time.monotonic() < deadline
        time.sleep(0.05)

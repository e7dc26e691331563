# SPDX-License-Identifier: Apache-2.0
"""The rows of the parity table: what is asked of both Glances."""

from __future__ import annotations

import dataclasses
import time
import uuid
from collections.abc import Callable
from typing import Any

from tests.parity.record import Recorder
from tests.parity.record import RecordingApi
from tests.support import formats
from tests.support import keymanager
from tests.support.api import OCTETS
from tests.support.api import in_chunks
from tests.support.glance import Config
from tests.support.glance import merged
from tests.support.identity import token

ALICE = token("alice", "acme", "member", "reader")
BOB = token("bob", "globex", "member", "reader")
READER = token("rita", "acme", "reader")
ADMIN = token("root", "admin", "admin", "member", "reader")

MIB = 1024**2
SIZE_CAP = 20 * MIB
SMALL = bytes(range(256)) * 5
OPERATORS_POLICY = """
"upload_image": "role:uploader and project_id:%(project_id)s"
"download_image": "role:uploader"
"""
ALL_FORMATS: Config = {
    "image_format": {"disk_formats": "ami,ari,aki,vhd,vmdk,raw,qcow2,iso,gpt"},
}
KEY_MANAGER: Config = {
    "key_manager": {"backend": "tests.support.keymanager.KeyManager"},
}
OBJECT_IN_THE_WAY = "upload where an object has the image's id"
CLIENT_GONE = "upload whose client goes away"
LARGE = bytes(range(253)) * (17 * MIB // 253)


@dataclasses.dataclass(frozen=True)
class Row:
    """One row.

    :ivar main: whether it is also run in the shapes that get the main rows only
    :ivar once: whether one shape is enough, because no server has a part in it
    :ivar since: the first release that it makes sense for
    :ivar config: options by section that Glance needs for it
    :ivar policy: the content of Glance's policy file
    """

    name: str
    run: Callable[[Recorder], None]
    main: bool
    once: bool
    since: int
    config: Config
    policy: str

    def __str__(self) -> str:
        return self.name


ROWS: list[Row] = []


def row(
    name: str,
    *,
    main: bool = False,
    once: bool = False,
    since: int = 0,
    config: Config | None = None,
    policy: str = "",
) -> Callable[[Callable[[Recorder], None]], Callable[[Recorder], None]]:
    """Make a function a row of the table."""

    def add(run: Callable[[Recorder], None]) -> Callable[[Recorder], None]:
        ROWS.append(Row(name, run, main, once, since, config or {}, policy))
        return run

    return add


def active(alice: RecordingApi, **fields: Any) -> str:
    """Create an image with a little data and return its id."""
    image_id = alice.create(**fields)
    alice.upload(image_id, SMALL)
    return image_id


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
    with alice.polling(image_id):
        alice.upload(image_id, in_chunks(LARGE))
    alice.show(image_id)
    alice.download(image_id)
    alice.delete(image_id)


@row("upload of a large body with a length", main=True)
def _(glance: Recorder) -> None:
    alice = glance.user(ALICE)
    image_id = alice.create()
    with alice.polling(image_id):
        alice.upload(image_id, LARGE)
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


def upload_samples(glance: Recorder, *disk_formats: str) -> None:
    """Upload every kind of disk image as each of some formats."""
    alice = glance.user(ALICE)
    for sample, data in formats.SAMPLES.items():
        for disk_format in disk_formats:
            image_id = alice.create(name=sample, disk_format=disk_format)
            alice.upload(image_id, data)
            alice.show(image_id)


@row("format: what its name says", once=True, config=ALL_FORMATS)
def _(glance: Recorder) -> None:
    alice = glance.user(ALICE)
    for sample, data in formats.SAMPLES.items():
        image_id = alice.create(name=sample, disk_format=sample.split()[0])
        alice.upload(image_id, in_chunks(data))
        alice.show(image_id)


@row("format: what else it is taken for", once=True)
def _(glance: Recorder) -> None:
    upload_samples(glance, "raw")


@row(
    "format: no match required",
    once=True,
    config={"image_format": {"require_image_format_match": "false"}},
)
def _(glance: Recorder) -> None:
    upload_samples(glance, "vmdk")


@row(
    "format: gpt checks not fatal",
    once=True,
    config=merged(ALL_FORMATS, {"image_format": {"gpt_safety_checks_nonfatal": "mbr"}}),
)
def _(glance: Recorder) -> None:
    upload_samples(glance, "gpt")


@row("upload with a policy of the operator's", once=True, policy=OPERATORS_POLICY)
def _(glance: Recorder) -> None:
    alice = glance.user(ALICE)
    uploader = glance.user(token("ursula", "acme", "member", "reader", "uploader"))
    image_id = alice.create()
    alice.upload(image_id, SMALL)
    alice.show(image_id)
    uploader.upload(image_id, SMALL)
    alice.show(image_id)
    alice.download(image_id)
    uploader.download(image_id)
    uploader.download(image_id, Range="bytes=1-2")


@row(
    "upload with the defaults of before",
    once=True,
    config={"oslo_policy": {"enforce_new_defaults": "false", "enforce_scope": "false"}},
)
def _(glance: Recorder) -> None:
    alice = glance.user(ALICE)
    image_id = alice.create()
    for other in (BOB, READER, ADMIN):
        glance.user(other).upload(image_id, SMALL)
    alice.show(image_id)
    image_id = alice.create(visibility="community")
    glance.user(BOB).upload(image_id, SMALL)
    alice.upload(image_id, SMALL)
    glance.user(BOB).download(image_id)


@row(
    "upload where only admins set locations",
    once=True,
    policy='"set_image_location": "role:admin"\n',
    config={"s3gateway": {"register_as": "service"}},
)
def _(glance: Recorder) -> None:
    alice = glance.user(ALICE)
    image_id = active(alice)
    alice.show(image_id)
    alice.download(image_id)
    glance.user(BOB).upload(alice.create(), SMALL)


@row(
    "upload over the user's storage quota",
    once=True,
    config={"DEFAULT": {"user_storage_quota": "3000"}},
)
def _(glance: Recorder) -> None:
    project = str(uuid.uuid4())  # with nothing in it yet
    quentin = glance.user(token("quentin", project, "member", "reader"))
    for body in (SMALL, in_chunks(SMALL), SMALL, in_chunks(SMALL)):
        image_id = quentin.create()
        quentin.upload(image_id, body)
        quentin.request("GET", f"/v2/images/{image_id}")


@row("upload of a signed image", once=True, config=KEY_MANAGER)
def _(glance: Recorder) -> None:
    alice = glance.user(ALICE)
    for data in (keymanager.SIGNED_DATA, SMALL):
        image_id = alice.create(**keymanager.signature_properties())
        alice.upload(image_id, data)
        alice.show(image_id)
    image_id = alice.create(
        **{**keymanager.signature_properties(), "img_signature": "AAAA"}
    )
    alice.upload(image_id, keymanager.SIGNED_DATA)
    alice.show(image_id)


@row("upload of what cannot be inspected")
def _(glance: Recorder) -> None:
    alice = glance.user(ALICE)
    for fields in (
        {"disk_format": "ami", "container_format": "ami"},
        {"disk_format": "qcow2", "container_format": "ovf"},
        {"disk_format": "aki", "container_format": "bare"},
    ):
        image_id = active(alice, **fields)
        alice.show(image_id)
        alice.download(image_id)


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
    deadline = time.monotonic() + 5
    while _open_uploads(glance, image_id) and time.monotonic() < deadline:
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


@row("download by others", main=True)
def _(glance: Recorder) -> None:
    alice = glance.user(ALICE)
    image_id = active(alice)
    others = [glance.user(other) for other in (BOB, READER, ADMIN, "")]
    for other in others:
        other.download(image_id)
    alice.patch(image_id, {"op": "replace", "path": "/visibility", "value": "shared"})
    alice.send_json("POST", f"/v2/images/{image_id}/members", {"member": "globex"})
    for visibility in ("shared", "community"):
        change = {"op": "replace", "path": "/visibility", "value": visibility}
        alice.patch(image_id, change)
        for other in others:
            other.download(image_id)
    glance.user(ADMIN).patch(
        image_id, {"op": "replace", "path": "/visibility", "value": "public"}
    )
    for other in others:
        other.download(image_id)


@row("download of a deactivated image")
def _(glance: Recorder) -> None:
    alice, admin = glance.user(ALICE), glance.user(ADMIN)
    image_id = active(alice)
    admin.request("POST", f"/v2/images/{image_id}/actions/deactivate")
    alice.show(image_id)
    alice.download(image_id)
    admin.download(image_id)
    admin.request("POST", f"/v2/images/{image_id}/actions/reactivate")
    alice.download(image_id)


@row("download of nothing")
def _(glance: Recorder) -> None:
    alice = glance.user(ALICE)
    image_id = alice.create()
    alice.download(image_id)
    alice.download("6f2c0000-0000-4000-8000-000000000000")


def in_two_stores(glance: Recorder) -> str:
    """Return an image whose data is in ``fast`` and in ``cheap``."""
    image_id = active(glance.user(ALICE))
    admin = glance.user(ADMIN)
    method = {"method": {"name": "copy-image"}, "stores": ["cheap"]}
    admin.send_json("POST", f"/v2/images/{image_id}/import", method)
    admin.wait_until(
        image_id,
        lambda image: (
            "cheap" in image["stores"] and "os_glance_import_task" not in image
        ),
    )
    return image_id


@row("download from a preferred store", main=True)
def _(glance: Recorder) -> None:
    image_id = in_two_stores(glance)
    alice = glance.user(ALICE)
    alice.show(image_id)
    for query in (
        "?prefer=cheap",
        "?prefer=cheap,fast",
        "?prefer=%20local%20,,cheap",
        "?prefer=local",
        "?prefer=",
        "?prefer=nowhere",
        "?prefer=os_glance_tasks_store",
    ):
        alice.download(image_id, query)
    alice.download(image_id, "?prefer=cheap", Range="bytes=x")


@row(
    "download from a preferred store by who may not",
    once=True,
    since=33,
    policy='"download_from_store": "role:admin"\n',
)
def _(glance: Recorder) -> None:
    image_id = in_two_stores(glance)
    for user in (ALICE, ADMIN):
        glance.user(user).download(image_id, "?prefer=cheap")
        glance.user(user).download(image_id)


@row("ranges that stock refuses")
def _(glance: Recorder) -> None:
    alice = glance.user(ALICE)
    image_id = active(alice)
    for header in ("bytes=0-1,5-6", "bytes=5-2", "bytes=x"):
        alice.download(image_id, Range=header)
    alice.download(image_id, Content_Range="bytes 5-2/100")


@row("ranges that the gateway knows", main=True)
def _(glance: Recorder) -> None:
    alice = glance.user(ALICE)
    image_id = active(alice)
    for header in ("bytes=0-0", "bytes=5-", "bytes=-7", "bytes=0-99999"):
        alice.download(image_id, Range=header)
    alice.download(image_id, Content_Range="bytes 3-5/*")
    alice.download(image_id, Range=f"bytes={len(SMALL)}-")


@row("other verbs")
def _(glance: Recorder) -> None:
    alice = glance.user(ALICE)
    image_id = active(alice)
    for method in ("HEAD", "POST", "DELETE", "PATCH", "OPTIONS"):
        alice.request(method, f"/v2/images/{image_id}/file")


@row("other requests", main=True)
def _(glance: Recorder) -> None:
    alice = glance.user(ALICE)
    image_id = active(alice, name="others", tags=["a"])
    change = {"op": "replace", "path": "/name", "value": "renamed"}
    alice.patch(image_id, change)
    alice.patch(image_id, {"op": "add", "path": "/nonsense/deep", "value": "x"})
    alice.send_json("POST", "/v2/images", {"name": 5})
    alice.request("PUT", f"/v2/images/{image_id}/tags/c")
    alice.request("GET", f"/v2/images/{image_id}/members")
    for path in (
        "/",
        "/v2",
        "/v2/schemas/image",
        "/v2/info/stores",
        "/v2/info/import",
        "/v2/info/usage",
        "/v2/nonsense",
        f"/v2/images/{image_id}/file/",
        f"/v2/images/{image_id}/tasks",
    ):
        alice.request("GET", path)


@row("stage and import")
def _(glance: Recorder) -> None:
    alice = glance.user(ALICE)
    image_id = alice.create()
    alice.request("PUT", f"/v2/images/{image_id}/stage", SMALL, Content_Type=OCTETS)
    alice.request("PUT", f"/v2/images/{image_id}/stage", SMALL, Content_Type=OCTETS)
    alice.show(image_id)
    alice.upload(image_id, SMALL)
    method = {"method": {"name": "glance-direct"}, "stores": ["cheap"]}
    alice.send_json("POST", f"/v2/images/{image_id}/import", method)
    alice.wait_until(
        image_id,
        lambda image: (
            image["status"] == "active" and "os_glance_import_task" not in image
        ),
    )
    alice.show(image_id)
    alice.download(image_id)

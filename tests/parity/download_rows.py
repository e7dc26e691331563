# SPDX-License-Identifier: Apache-2.0
"""Downloads."""

from __future__ import annotations

from tests.parity.record import Recorder
from tests.parity.rows import ADMIN
from tests.parity.rows import ALICE
from tests.parity.rows import BOB
from tests.parity.rows import READER
from tests.parity.rows import SMALL
from tests.parity.rows import active
from tests.parity.rows import row


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


@row("download from a preferred store")
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
    full=True,
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

# SPDX-License-Identifier: Apache-2.0
"""All else, which reaches Glance untouched."""

from __future__ import annotations

from tests.parity.record import Recorder
from tests.parity.rows import ALICE
from tests.parity.rows import SMALL
from tests.parity.rows import active
from tests.parity.rows import row
from tests.support.clients.api import OCTETS


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

# SPDX-License-Identifier: Apache-2.0
"""What gophercloud, and Terraform with it, expects; as requests, without Go.

It accepts one status for each request, sends ``Accept: application/json`` with all of
them, and sends a body whose length it does not know in chunks.
"""

from __future__ import annotations

import hashlib

from tests.support.clients.api import OCTETS
from tests.support.clients.api import Api
from tests.support.clients.api import in_chunks

DATA = bytes(range(256)) * 9000
ACCEPT = {"Accept": "application/json", "User_Agent": "gophercloud/v2.0.0"}


def test_upload_stage_and_download(alice: Api) -> None:
    image_id = alice.create(name="terraform")
    path = f"/v2/images/{image_id}"
    for body in (in_chunks(DATA),):
        answer = alice.request(
            "PUT", f"{path}/file", body, Content_Type=OCTETS, **ACCEPT
        )
        assert (answer.status, answer.body) == (204, b"")
    shown = alice.request("GET", path, **ACCEPT)
    assert shown.status == 200
    assert shown.headers["Content-Type"].startswith("application/json")
    image = shown.json()
    assert image["checksum"] == hashlib.md5(DATA, usedforsecurity=False).hexdigest()
    answer = alice.request("GET", f"{path}/file", **ACCEPT)
    assert (answer.status, answer.body) == (200, DATA)
    assert answer.headers["Content-Type"] == OCTETS
    assert alice.request("DELETE", path, **ACCEPT).status == 204

    staged = alice.create(name="staged")
    answer = alice.request(
        "PUT",
        f"/v2/images/{staged}/stage",
        in_chunks(DATA),
        Content_Type=OCTETS,
        **ACCEPT,
    )
    assert (answer.status, answer.body) == (204, b"")

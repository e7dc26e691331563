# SPDX-License-Identifier: Apache-2.0
"""Content and sender of uploads: formats, policies, quotas, signatures."""

from __future__ import annotations

import uuid

from tests.parity.record import Recorder
from tests.parity.rows import ADMIN
from tests.parity.rows import ALICE
from tests.parity.rows import BOB
from tests.parity.rows import READER
from tests.parity.rows import SMALL
from tests.parity.rows import active
from tests.parity.rows import row
from tests.support import formats
from tests.support.clients.api import in_chunks
from tests.support.servers import keymanager
from tests.support.servers.glance import Config
from tests.support.servers.glance import merged
from tests.support.servers.identity import token

OPERATORS_POLICY = """
"upload_image": "role:uploader and project_id:%(project_id)s"
"download_image": "role:uploader"
"""
ALL_FORMATS: Config = {
    "image_format": {"disk_formats": "ami,ari,aki,vhd,vmdk,raw,qcow2,iso,gpt"},
}
KEY_MANAGER: Config = {
    "key_manager": {"backend": "tests.support.servers.keymanager.KeyManager"},
}


def upload_samples(glance: Recorder, *disk_formats: str) -> None:
    """Upload every kind of disk image as each of some formats."""
    alice = glance.user(ALICE)
    for sample, data in formats.SAMPLES.items():
        for disk_format in disk_formats:
            image_id = alice.create(name=sample, disk_format=disk_format)
            alice.upload(image_id, data)
            alice.show(image_id)


@row("format: what its name says", once=True, full=True, config=ALL_FORMATS)
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
    full=True,
    config={"image_format": {"require_image_format_match": "false"}},
)
def _(glance: Recorder) -> None:
    upload_samples(glance, "vmdk")


@row(
    "format: gpt checks not fatal",
    once=True,
    full=True,
    config=merged(ALL_FORMATS, {"image_format": {"gpt_safety_checks_nonfatal": "mbr"}}),
)
def _(glance: Recorder) -> None:
    upload_samples(glance, "gpt")


@row(
    "upload with a policy of the operator's",
    once=True,
    full=True,
    policy=OPERATORS_POLICY,
)
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
    full=True,
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
    full=True,
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


@row("upload of a signed image", once=True, full=True, config=KEY_MANAGER)
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

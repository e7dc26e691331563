# SPDX-License-Identifier: Apache-2.0
"""The openstack CLI and openstacksdk."""

from __future__ import annotations

import json
import pathlib
import textwrap

import pytest

from tests.clients.conftest import Command
from tests.clients.conftest import document
from tests.support.clients.api import Api
from tests.support.servers import environments
from tests.support.servers.keystone import ALICE
from tests.support.servers.keystone import Keystone
from tests.support.servers.processes import run
from tests.support.servers.standalone import Gateway

RAW = ("--disk-format=raw", "--container-format=bare")


def test_create_and_save(
    openstack: Command, disk: pathlib.Path, tmp_path: pathlib.Path, alice: Api
) -> None:
    image = document(
        openstack("image", "create", "-f", "json", f"--file={disk}", *RAW, "quick")
    )
    assert alice.show(image["id"])["status"] == "active"
    saved = tmp_path / "saved"
    openstack("image", "save", f"--file={saved}", image["id"])
    assert saved.read_bytes() == disk.read_bytes()


@pytest.mark.full
def test_every_image_command(
    openstack: Command, disk: pathlib.Path, tmp_path: pathlib.Path, alice: Api
) -> None:
    name = "all commands"
    progress = ("--progress", f"--file={disk}")
    created = openstack("image", "create", *progress, *RAW, name, terminal=True)
    assert "[=============================>] 100%" in created
    shown = document(openstack("image", "show", "-f", "json", name))
    assert shown["status"] == "active"
    assert shown["size"] == disk.stat().st_size
    assert shown["properties"]["locations"][0]["url"] == f"s3://fast/{shown['id']}"
    listed = json.loads(openstack("image", "list", "-f", "json", f"--name={name}"))
    assert [image["ID"] for image in listed] == [shown["id"]]
    openstack("image", "set", "--property", "colour=blue", "--tag=t", name)
    changed = alice.show(shown["id"])
    assert (changed["colour"], changed["tags"]) == ("blue", ["t"])
    saved = tmp_path / "saved"
    openstack("image", "save", "--chunk-size=65536", f"--file={saved}", name)
    assert saved.read_bytes() == disk.read_bytes()
    openstack("image", "delete", name)
    assert alice.request("GET", f"/v2/images/{shown['id']}").status == 404


@pytest.mark.full
def test_stage_and_import(openstack: Command, disk: pathlib.Path, alice: Api) -> None:
    image_id = alice.create(name="staged")
    openstack("image", "stage", f"--file={disk}", image_id)
    openstack("image", "import", "--method=glance-direct", "--store=cheap", image_id)
    alice.wait_until(image_id, lambda image: image["status"] == "active")
    assert alice.download(image_id).body == disk.read_bytes()
    assert alice.show(image_id)["stores"] == "cheap"


@pytest.mark.full
def test_create_by_import(openstack: Command, disk: pathlib.Path, alice: Api) -> None:
    created = document(
        openstack(
            "image", "create", "-f", "json", "--import", f"--file={disk}", *RAW, "by it"
        )
    )
    alice.wait_until(created["id"], lambda image: image["status"] == "active")
    assert alice.download(created["id"]).body == disk.read_bytes()


_SDK = """
import hashlib, sys
import openstack

disk, saved = sys.argv[1:]
cloud = openstack.connect()
image = cloud.create_image(
    "by the sdk", filename=disk, disk_format="raw", container_format="bare",
    validate_checksum=True, wait=True,
)
image = cloud.image.get_image(image.id)
with open(disk, "rb") as file:
    data = file.read()
assert image.status == "active", image
assert image.size == len(data), image
assert image.hash_value == hashlib.sha512(data).hexdigest(), image
assert image.properties["owner_specified.openstack.sha256"] == (
    hashlib.sha256(data).hexdigest()
), image
with open(saved, "wb") as file:
    cloud.image.download_image(image, output=file, chunk_size=65536)
response = cloud.image.download_image(image, stream=True)
assert b"".join(response.iter_content(100_000)) == data
cloud.delete_image(image.id, wait=True)
"""


@pytest.mark.full
def test_sdk_verifies_what_it_uploads_and_downloads(
    identified: Gateway, keystone: Keystone, disk: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(_SDK))
    saved = tmp_path / "saved"
    python = environments.bin_dir("clients") / "python"
    run([python, script, disk, saved], env=keystone.environment(ALICE))
    assert saved.read_bytes() == disk.read_bytes()

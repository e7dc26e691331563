# SPDX-License-Identifier: Apache-2.0
"""The glance CLI."""

from __future__ import annotations

import pathlib
import re

import pytest

from tests.clients.conftest import Command
from tests.support.clients.api import Api

pytestmark = pytest.mark.full

RAW = ("--disk-format=raw", "--container-format=bare")


def created(output: str) -> str:
    """Return the id in the table that the client prints."""
    found = re.search(r"\| id +\| ([0-9a-f-]{36})", output)
    assert found, output
    return found.group(1)


def test_upload_and_download(
    glance_cli: Command, disk: pathlib.Path, tmp_path: pathlib.Path, alice: Api
) -> None:
    image_id = alice.create()
    glance_cli("image-upload", f"--file={disk}", "--progress", image_id)
    saved = tmp_path / "saved"
    glance_cli("image-download", f"--file={saved}", "--progress", image_id)
    assert saved.read_bytes() == disk.read_bytes()


def test_create_in_a_store(glance_cli: Command, disk: pathlib.Path, alice: Api) -> None:
    stores = glance_cli("stores-info")
    assert all(name in stores for name in ("cheap", "fast", "local"))
    for store in ("cheap", "local"):
        image_id = created(
            glance_cli("image-create", f"--file={disk}", f"--store={store}", *RAW)
        )
        assert alice.show(image_id)["stores"] == store
        assert alice.download(image_id).body == disk.read_bytes()


def test_create_via_import(glance_cli: Command, disk: pathlib.Path, alice: Api) -> None:
    image_id = created(
        glance_cli(
            "image-create-via-import",
            "--import-method=glance-direct",
            f"--file={disk}",
            *RAW,
            terminal=True,
        )
    )
    alice.wait_until(image_id, lambda image: image["status"] == "active")
    assert alice.download(image_id).body == disk.read_bytes()


def test_a_location_is_refused_politely(glance_cli: Command, alice: Api) -> None:
    image_id = alice.create()
    said = glance_cli(
        "location-add", "--url=http://192.0.2.1/disk", image_id, check=False
    )
    assert "403" in said or "Forbidden" in said, said
    assert "Traceback" not in said
    assert alice.show(image_id)["status"] == "queued"

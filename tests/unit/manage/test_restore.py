# SPDX-License-Identifier: Apache-2.0
"""Which objects ``restore`` makes images of, and what it does if that fails."""

from __future__ import annotations

import hashlib
import json
import uuid

import pytest

from s3gateway.errors import StoreDenied
from s3gateway.glance.releases import Traits
from s3gateway.manage.context import Context
from s3gateway.manage.operator import Operator
from tests.support import formats
from tests.support.s3.memory import unavailable
from tests.unit.manage.moving import Moving

DATA = b"an image"
WORDS = ("restore", "--store", "fast", "--project", "acme")


def orphan(moving: Moving, image_id: str = "", data: bytes = DATA) -> str:
    """Have an object that no image refers to, and return its key."""
    key = f"{image_id or uuid.uuid4()}.{uuid.uuid4().hex[:16]}"
    moving.stores["fast"].write(key, data)
    return key


def test_an_image_is_made_of_an_object(moving: Moving) -> None:
    key = orphan(moving)
    code, document = moving(*WORDS, "--name", "back", key)
    assert code == 0
    [row] = document["rows"]
    assert (row["state"], row["code"], row["size_bytes"]) == ("done", "restored", 8)
    image = moving.glance.shown[key[:36]]
    assert row["image"] == image["id"] == key[:36]
    assert (image["name"], image["owner"], image["status"]) == (
        "back",
        "acme",
        "active",
    )
    assert image["os_hash_value"] == hashlib.sha512(DATA).hexdigest()
    assert image["locations"][0]["url"].endswith(f"/fast/{key}")
    assert (
        document["summary"] == "1 images restored, 0 skipped, 0 failed; 8 bytes in all"
    )
    code, document = moving(*WORDS, key)
    assert (code, document["rows"][0]["code"]) == (0, "needed")


def test_gc_and_uploads_are_kept_out_meanwhile(moving: Moving) -> None:
    """Also where a dead upload has left a claim that names the object."""
    store, names = moving.stores["fast"], []
    key, other = orphan(moving), orphan(moving)
    dead = {"nonce": "dead", "gateway": "elsewhere", "over": True}
    attempts = [{"store": "fast", "key": key, "upload_id": ""}]
    claim = f".s3gateway/{key[:36]}"
    store.write(claim, json.dumps({**dead, "attempts": attempts}).encode())

    def before(request: str, name: str) -> None:
        if request == "read":
            names.append(f".s3gateway/{name[:36]}" in store.objects_by_key)

    store.before = before
    moving.glance.registers = False
    assert moving(*WORDS, key, other)[0] == 1
    assert {key, other, claim} == set(store.objects_by_key)
    moving.glance.registers = True
    code, document = moving(*WORDS, key, other)
    assert (code, document["counts"]["done"]) == (0, 2)
    assert {key, other} == set(store.objects_by_key)
    assert names
    assert all(names)


def test_its_format_is_that_of_the_data(moving: Moving) -> None:
    qcow2 = orphan(moving, data=formats.qcow2(1024**2))
    gpt = orphan(moving, data=formats.gpt())
    assert moving(*WORDS, qcow2, gpt)[0] == 0
    assert moving.glance.shown[qcow2[:36]]["disk_format"] == "qcow2"
    assert moving.glance.shown[gpt[:36]]["disk_format"] == "raw"
    wrong = orphan(moving)
    code, document = moving(*WORDS, "--disk-format", "qcow2", wrong)
    assert (code, document["rows"][0]["code"]) == (1, "content")
    assert wrong[:36] not in moving.glance.shown
    code, document = moving(*WORDS, "--container-format", "ova", wrong)
    assert code == 2
    assert document["error"].startswith("--disk-format: needed")


def test_one_that_waits_for_data_keeps_what_it_is(moving: Moving) -> None:
    image_id = moving.glance.image(status="queued", name="waiting")
    moving.glance.shown[image_id].update(locations=[], disk_format=None, size=None)
    code, _ = moving(*WORDS, orphan(moving, image_id))
    image = moving.glance.shown[image_id]
    assert (code, image["name"], image["status"]) == (0, "waiting", "active")
    assert (image["disk_format"], image["container_format"]) == ("raw", "bare")


def test_images_that_were_deleted(moving: Moving) -> None:
    key = orphan(moving)
    moving.glance.deleted.add(key[:36])
    code, document = moving(*WORDS, key)
    assert (code, document["rows"][0]["code"]) == (0, "deleted")
    assert moving.glance.shown == {}
    code, document = moving(*WORDS, key, "--deleted")
    [image] = moving.glance.shown.values()
    assert (code, document["rows"][0]["image"]) == (0, image["id"])
    assert image["id"] != key[:36]


def test_glance_scrubber_has_what_was_deleted(moving: Moving) -> None:
    """It would delete the object of the new image, too."""
    moving.configure("[DEFAULT]\ndelayed_delete = true\n")
    key = orphan(moving)
    moving.glance.deleted.add(key[:36])
    code, document = moving(*WORDS, key, "--deleted")
    assert (code, document["rows"][0]["code"]) == (0, "scrubbed")
    assert moving.glance.shown == {}


@pytest.mark.parametrize("deleted", [True, False])
def test_an_image_that_another_made_of_it_meanwhile(
    moving: Moving, deleted: bool
) -> None:
    """Two images of one object would lose it with the first that is deleted."""
    key, store = orphan(moving), moving.stores["fast"]
    if deleted:
        moving.glance.deleted.add(key[:36])

    def before(request: str, name: str) -> None:
        if request == "put" and not moving.glance.shown:  # of the claim
            store.before = lambda request, name: None
            assert moving(*WORDS, key, "--deleted")[0] == 0

    store.before = before
    code, document = moving(*WORDS, key, "--deleted")
    assert (code, document["rows"][0]["code"]) == (1, "conflict"), document
    assert len(moving.glance.shown) == 1
    assert key in store.objects_by_key


def test_a_remote_glance_does_not_say_what_was_deleted(
    moving: Moving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It refuses the id then."""
    operator = Operator(moving.glance, lambda asked: asked, Traits())
    monkeypatch.setattr(Context, "glance", operator)
    key = orphan(moving)
    moving.glance.deleted.add(key[:36])
    code, document = moving(*WORDS, key)
    assert (code, document["rows"][0]["code"]) == (1, "conflict")
    assert moving.glance.shown == {}
    code, document = moving(*WORDS, key, "--deleted")
    assert (code, document["rows"][0]["code"]) == (0, "restored")


@pytest.mark.parametrize("waiting", [True, False])
def test_glance_that_does_not_register_it(moving: Moving, waiting: bool) -> None:
    """What was created for it is deleted again, and the object stays."""
    image_id = str(uuid.uuid4())
    if waiting:
        image_id = moving.glance.image(status="queued")
        moving.glance.shown[image_id].update(locations=[])
    key = orphan(moving, image_id)
    moving.glance.registers = False
    code, document = moving(*WORDS, key)
    assert (code, document["rows"][0]["state"]) == (1, "failed")
    assert (image_id in moving.glance.shown) is waiting
    assert key in moving.stores["fast"].objects_by_key
    moving.glance.registers = True
    assert moving(*WORDS, key)[0] == 0


def test_an_object_that_cannot_be_read_is_no_image(moving: Moving) -> None:
    key, other = orphan(moving), orphan(moving)
    moving.configure("[s3gateway]\nretry_time = 0\n")
    fail = unavailable("read")
    moving.stores["fast"].before = lambda request, name: (
        fail(request, name) if name == key else None
    )
    code, document = moving(*WORDS, key, other)
    assert code == 1
    states = {row["key"]: row["state"] for row in document["rows"]}
    assert states == {key: "failed", other: "done"}
    assert key[:36] not in moving.glance.shown


def test_an_empty_object_is_no_image(moving: Moving) -> None:
    code, document = moving(*WORDS, orphan(moving, data=b""))
    assert (code, document["rows"][0]["code"]) == (0, "empty")
    assert moving.glance.shown == {}


def test_an_object_that_is_not_shown(moving: Moving) -> None:
    """The others become images all the same."""
    locked, other = orphan(moving), orphan(moving)

    def before(request: str, name: str) -> None:
        if (request, name) == ("stat", locked):
            raise StoreDenied("Store fast answered 403 403")

    moving.stores["fast"].before = before
    code, document = moving(*WORDS, locked, other)
    assert code == 1
    found = {row["key"]: (row["state"], row["code"]) for row in document["rows"]}
    assert found == {locked: ("failed", "denied"), other: ("done", "restored")}


def test_a_store_that_there_is_not(moving: Moving) -> None:
    code, document = moving("restore", "--store", "slow", "--project", "acme", "x")
    assert code == 2
    assert document["error"].startswith("--store: 'slow' is not an S3 store")

# SPDX-License-Identifier: Apache-2.0
"""s3gateway-manage gc: what it takes, and what it must never take."""

from __future__ import annotations

import contextlib
import datetime
import json
import secrets
import threading
import time
import uuid
from collections.abc import Iterator

import pytest

from tests.support.clients.api import Api
from tests.support.people import ADMIN
from tests.support.people import ALICE
from tests.support.servers.manage import Manage

DATA = b"of an image\n" * 1000
PATIENT = {"s3gateway": {"claim_grace": "86400"}}


def key(image_id: str = "") -> str:
    """Return a key as an upload makes one."""
    return f"{image_id or uuid.uuid4()}.{secrets.token_hex(8)}"


class Planted:
    """What stands in the buckets of a cloud, put there as a crash would leave it."""

    def __init__(self, managed: Manage) -> None:
        self._client = managed.cloud.s3.client()
        self._cloud = managed.cloud
        self.api = Api(managed.glance.url, ALICE)
        self.admin = Api(managed.glance.url, ADMIN)

    def object(self, name: str, store: str = "fast") -> str:
        bucket = self._cloud.bucket(store)
        self._client.put_object(Bucket=bucket, Key=name, Body=DATA)
        return name

    def upload(self, name: str, store: str = "fast") -> tuple[str, str]:
        bucket = self._cloud.bucket(store)
        begun = self._client.create_multipart_upload(Bucket=bucket, Key=name)
        self._client.upload_part(
            Bucket=bucket, Key=name, UploadId=begun["UploadId"], PartNumber=1, Body=DATA
        )
        return name, begun["UploadId"]

    def claim(self, image_id: str, *attempts: tuple[str, str, str]) -> str:
        """Write a claim into the bucket of the first S3 store."""
        fields = ("store", "key", "upload_id")
        named = [dict(zip(fields, attempt, strict=True)) for attempt in attempts]
        content = {"nonce": "dead", "gateway": "elsewhere", "attempts": named}
        name = f".s3gateway/{image_id}"
        bucket = self._cloud.bucket("cheap")
        self._client.put_object(
            Bucket=bucket, Key=name, Body=json.dumps(content).encode()
        )
        return name

    @contextlib.contextmanager
    def beating(self, image_id: str) -> Iterator[str]:
        """Keep a claim alive, as a running upload does."""
        name, over = self.claim(image_id), threading.Event()

        def beat() -> None:
            while not over.wait(0.1):
                self.claim(image_id)

        thread = threading.Thread(target=beat)
        thread.start()
        yield name
        over.set()
        thread.join()

    def image(self, **fields: str) -> tuple[str, str]:
        """Upload an image; return its id and its object's key."""
        image_id = self.api.create(**fields)
        assert self.api.upload(image_id, DATA).status == 204
        [name] = [k for k in self._cloud.objects("fast") if k.startswith(image_id)]
        return image_id, name

    def names(self) -> set[str]:
        """Return all keys of objects and uploads in both buckets."""
        return set(self._cloud.kept())

    def are_older_than(self, seconds: float) -> None:
        """Wait until all that is planted is older, by the server's own clock."""
        youngest = max(
            found["LastModified"]
            for store in ("fast", "cheap")
            for found in self._client.list_objects_v2(
                Bucket=self._cloud.bucket(store)
            ).get("Contents", [])
        )
        while True:
            answer = self._client.list_buckets()["ResponseMetadata"]["HTTPHeaders"]
            now = datetime.datetime.strptime(answer["date"], "%a, %d %b %Y %H:%M:%S %Z")
            age = now.replace(tzinfo=datetime.timezone.utc) - youngest
            if age.total_seconds() > seconds:
                return
            time.sleep(0.1)


@pytest.fixture
def planted(managed: Manage) -> Planted:
    return Planted(managed)


def test_gc(managed: Manage, planted: Planted) -> None:
    image_id, needed = planted.image()
    asleep, kept = planted.image()
    path = f"/v2/images/{asleep}/actions/deactivate"
    assert planted.admin.request("POST", path).status == 204
    running = str(uuid.uuid4())
    dead = str(uuid.uuid4())
    never = {
        needed,
        kept,  # where a deactivated image's data is is not shown
        planted.object("backup/notes.txt"),
        planted.object(str(uuid.uuid4())),  # a key of Glance's own
        planted.object(key(running)),
    }
    upload, upload_id = planted.upload(key(dead))
    attempts = [("fast", upload, upload_id), ("cheap", key(dead), "")]
    gone = {
        planted.object(key()),
        planted.object(key(image_id)),  # the image has other data
        planted.object(attempts[1][1], "cheap"),
        planted.upload(key())[0],
        planted.claim(dead, *attempts),
        upload,
    }
    planted.are_older_than(1)

    young = managed("gc", config=PATIENT)
    assert not {row["key"] for row in young.rows} & (gone | never), young.text

    with planted.beating(running) as alive:
        shown = managed("gc")
        assert shown.code == 1, shown.text
        found = {row["key"] for row in shown.rows}
        assert gone <= found
        assert not found & (never | {alive})
        assert gone | never | {alive} <= planted.names()  # it was only shown

        deleted = managed("gc", "--delete")
        assert deleted.code == 0, deleted.text
        left = planted.names()
    assert not gone & left
    assert never | {alive} <= left
    assert planted.api.download(image_id).body == DATA
    activate = f"/v2/images/{asleep}/actions/reactivate"
    assert planted.admin.request("POST", activate).status == 204
    assert planted.api.download(asleep).body == DATA


def test_an_upload_that_was_left_open_under_an_images_own_key(
    managed: Manage, planted: Planted
) -> None:
    """As after an answer that got lost: one of two was completed."""
    image_id, needed = planted.image()
    planted.upload(needed)
    planted.object(key())  # whose age can be waited for
    planted.are_older_than(1)
    deleted = managed("gc", "--delete")
    assert deleted.code == 0, deleted.text
    assert needed not in managed.cloud.uploads("fast")
    assert planted.api.download(image_id).body == DATA

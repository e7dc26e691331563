# SPDX-License-Identifier: Apache-2.0
"""Objects in the buckets of a cloud, as a crash would leave them."""

from __future__ import annotations

import contextlib
import datetime
import json
import secrets
import threading
import time
import uuid
from collections.abc import Iterator

from tests.support.clients.api import Api
from tests.support.people import ADMIN
from tests.support.people import ALICE
from tests.support.servers.manage import Manage
from tests.support.servers.rows import multiply

DATA = b"of an image\n" * 1000
_CROWD = 80  # images


def key(image_id: str) -> str:
    """Return a key as an upload makes one."""
    return f"{image_id}.{secrets.token_hex(8)}"


class Planted:
    """Objects, uploads and claims beside those that images need.

    :ivar whose: the id of the Glance, as the gateway writes it with its objects
    """

    def __init__(self, managed: Manage) -> None:
        self._client = managed.cloud.s3.client()
        self._cloud = managed.cloud
        self.api = Api(managed.glance.url, ALICE)
        self.admin = Api(managed.glance.url, ADMIN)
        _, first = self.image()
        bucket = self._cloud.bucket("fast")
        head = self._client.head_object(Bucket=bucket, Key=first)
        self.whose = head["Metadata"]["glance-id"]

    def object(self, name: str, store: str = "fast", whose: str | None = None) -> str:
        whose = self.whose if whose is None else whose
        self._client.put_object(
            Bucket=self._cloud.bucket(store),
            Key=name,
            Body=DATA,
            Metadata={"glance-id": whose} if whose else {},
        )
        return name

    def upload(self, name: str, store: str = "fast") -> tuple[str, str]:
        bucket = self._cloud.bucket(store)
        begun = self._client.create_multipart_upload(Bucket=bucket, Key=name)
        self._client.upload_part(
            Bucket=bucket, Key=name, UploadId=begun["UploadId"], PartNumber=1, Body=DATA
        )
        return name, begun["UploadId"]

    def claim(
        self, image_id: str, *attempts: tuple[str, str, str], store: str = "fast"
    ) -> str:
        """Write a claim into a bucket, as an older gateway does: it names no Glance."""
        fields = ("store", "key", "upload_id")
        named = [dict(zip(fields, attempt, strict=True)) for attempt in attempts]
        content = {"nonce": "dead", "gateway": "elsewhere", "attempts": named}
        name = f".s3gateway/{image_id}"
        self._client.put_object(
            Bucket=self._cloud.bucket(store),
            Key=name,
            Body=json.dumps(content).encode(),
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
        return image_id, self.uploaded(image_id)

    def uploaded(self, image_id: str) -> str:
        assert self.api.upload(image_id, DATA).status == 204
        [name] = [k for k in self._cloud.objects("fast") if k.startswith(image_id)]
        return name

    def gone(self) -> str:
        """Return the id of an image that was deleted."""
        image_id = self.api.create()
        assert self.api.delete(image_id).status == 204
        return image_id

    def crowd(self) -> None:
        """Have so many images that a few leftovers are less than a tenth."""
        image_id, name = self.image()
        copies = [str(uuid.uuid4()) for _ in range(_CROWD)]
        multiply(self._cloud.sql, image_id, copies)
        for each in copies:
            self.object(name.replace(image_id, each))

    def names(self) -> set[str]:
        """Return all keys of objects and uploads in both buckets."""
        return set(self._cloud.kept())

    def are_older_than(self, seconds: float) -> None:
        """Wait until all that is planted is older, by the server's own clock.

        Then an image is changed, as in a cloud that goes on.
        """
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
                break
            time.sleep(0.1)
        self.api.create()

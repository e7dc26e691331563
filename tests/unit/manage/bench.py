# SPDX-License-Identifier: Apache-2.0
"""A Glance, two buckets in memory, and ``gc`` run over them."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import io
import json
import pathlib
import time
import uuid
from collections.abc import Iterable
from typing import Any

from s3gateway.config.face import FaceKeys
from s3gateway.config.face import FaceSettings
from s3gateway.config.stores import Writing
from s3gateway.glance.api import image_from
from s3gateway.glance.marks import MARK
from s3gateway.glance.marks import marked_since
from s3gateway.glance.releases import Traits
from s3gateway.manage import commands
from s3gateway.manage import gc
from s3gateway.manage.context import Context
from s3gateway.manage.operator import Operator
from s3gateway.manage.output import Output
from tests.support import schema
from tests.support.s3.memory import MemoryStore
from tests.support.s3.memory import store_settings

HOUR = 3600.0
DAY = 24 * HOUR

CONFIG = """
[DEFAULT]
enabled_backends = fast:s3,cheap:s3
show_multiple_locations = true
[glance_store]
default_backend = fast
[fast]
s3_store_host = http://s3.example:9000
s3_store_access_key = ACCESSKEY
s3_store_secret_key = a-secret-of-20-bytes
s3_store_bucket = fast
[cheap]
s3_store_host = http://s3.example:9000
s3_store_access_key = ACCESSKEY
s3_store_secret_key = a-secret-of-20-bytes
s3_store_bucket = cheap
"""


class Glance:
    """An image API with images, and a database that remembers deleted ones.

    :ivar changed: seconds ago when an image was last changed
    :ivar stubborn: whether images that are ``saving`` stay so
    """

    def __init__(self) -> None:
        self.shown: dict[str, list[str]] = {}
        self.deleted: set[str] = set()
        self.saving: dict[str, dict[str, Any]] = {}
        self.owners: dict[str, str] = {}
        self.changed = 0.0
        self.stubborn = False

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        name = environ["PATH_INFO"].rpartition("/")[2]
        if name == "images":
            hidden = "os_hidden=true" in environ["QUERY_STRING"]
            status, body = 200, {"images": [] if hidden else self.images()}
        elif name in self.shown:
            status, body = 200, self.image(name)
        else:
            status, body = 404, {}
        start_response(f"{status} Whatever", [("Content-Type", "application/json")])
        return [json.dumps(body).encode()]

    def images(self) -> list[dict[str, Any]]:
        return [self.image(image_id) for image_id in self.shown]

    def image(self, image_id: str) -> dict[str, Any]:
        now = datetime.datetime.now(datetime.timezone.utc)
        ago = datetime.timedelta(seconds=self.changed)
        urls = [f"s3://s3.example:9000/fast/{key}" for key in self.shown[image_id]]
        waiting = "saving" if image_id in self.saving else "queued"
        return {
            "id": image_id,
            "status": "active" if urls else waiting,
            "locations": [{"url": url, "metadata": {"store": "fast"}} for url in urls],
            "updated_at": (now - ago).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "owner": self.owners.get(image_id),
            **self.saving.get(image_id, {}),
        }

    def left_saving(self, image_id: str) -> float | None:
        return marked_since(image_from(self.image(image_id)))

    def restore(self, image_id: str) -> bool:
        if self.stubborn:
            return False
        return self.saving.pop(image_id, None) is not None

    def remembers(self, image_id: str) -> bool:
        return image_id in self.shown or image_id in self.deleted

    def gone(self) -> str:
        """Return the id of an image that there was."""
        image_id = str(uuid.uuid4())
        self.deleted.add(image_id)
        return image_id


class Bench:
    """A Glance, its two stores, and the command."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.glance = Glance()
        writing = Writing(glance_id="ours")
        self.stores = {
            name: MemoryStore(store_settings(name, writing=writing))
            for name in ("fast", "cheap")
        }
        self.remote = False
        self._config = directory / "glance-api.conf"
        self._config.write_text(CONFIG)
        for store in self.stores.values():
            store.now = 100 * DAY
        for _ in range(40):  # of which one in ten may go
            self.active()

    def seal(self) -> None:
        """Have the stores behind a face."""
        path = self._config.with_name("face-keys")
        path.write_text("FACEKEY a-secret-of-the-face\n")
        path.chmod(0o600)
        face = FaceSettings(url="http://gateway:9293", keys=FaceKeys(str(path)))
        for store in self.stores.values():
            store.settings = dataclasses.replace(store.settings, face=face)

    def active(self, store: str = "fast") -> str:
        """Have an image with an object, and return its id."""
        image_id = str(uuid.uuid4())
        self.glance.shown[image_id] = [self.object(image_id, store=store)]
        return image_id

    def waiting(self, since: float | None) -> str:
        """Have an image that is ``saving``, and return its id.

        :param since: seconds ago; ``None`` if it is not an upload of ours
        """
        image_id = str(uuid.uuid4())
        self.glance.shown[image_id] = []
        marked: dict[str, Any] = {}
        if since is not None:
            began = time.time() - since
            changed = datetime.datetime.fromtimestamp(began, datetime.timezone.utc)
            marked[MARK] = f"mark {began:.0f}"
            marked["updated_at"] = changed.strftime("%Y-%m-%dT%H:%M:%SZ")
        self.glance.saving[image_id] = marked
        return image_id

    def object(
        self,
        image_id: str,
        age: float = 2 * DAY,
        whose: str = "ours",
        store: str = "fast",
    ) -> str:
        """Put an object into a bucket and return its key."""
        return self.put(
            f"{image_id}.{uuid.uuid4().hex[:16]}", b"data", age, whose, store
        )

    def claim(
        self,
        image_id: str,
        *named: str,
        age: float = 2 * DAY,
        whose: str = "ours",
        store: str = "fast",
    ) -> str:
        attempts = [{"store": "fast", "key": key, "upload_id": ""} for key in named]
        content = {"nonce": "dead", "gateway": "elsewhere", "attempts": attempts}
        data = json.dumps(content).encode()
        return self.put(f".s3gateway/{image_id}", data, age, whose, store)

    def put(self, key: str, data: bytes, age: float, whose: str, store: str) -> str:
        bucket = self.stores[store]
        bucket.write(key, data)
        bucket.written[key] = bucket.now - age
        bucket.whose[key] = whose
        return key

    def upload(self, image_id: str, store: str = "fast") -> str:
        key = f"{image_id}.{uuid.uuid4().hex[:16]}"
        self.stores[store].begin(key)
        return key

    def left(self) -> set[str]:
        return {
            key.removeprefix("upload-of-")
            for store in self.stores.values()
            for key in (*store.objects_by_key, *store.open_uploads)
        }

    def context(self, *words: str) -> Context:
        """Return what a command has to work with here."""
        conf = commands.parse([f"--config-file={self._config}", *words])
        context = Context(conf, Output("json"))
        context.output.command = conf.command.title
        database = None if self.remote else self.glance
        operator = Operator(self.glance, lambda asked: asked, Traits(), database)
        vars(context).update(stores=self.stores, glance=operator)
        return context

    def __call__(self, *words: str) -> tuple[bool, dict[str, Any]]:
        context = self.context("gc", *words)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            well = gc.run(context)
            context.output.finish()
        return well, schema.valid(json.loads(printed.getvalue()))

    def spares(self, *keys: str, words: tuple[str, ...] = ()) -> str:
        """Make sure that these are not collected; return the summary."""
        _, shown = self("--delete", *words)
        assert set(keys) <= self.left(), shown
        return str(shown["summary"])

    def takes(self, *keys: str, words: tuple[str, ...] = ()) -> None:
        """Make sure that these are shown, and then collected, and nothing else."""
        before = self.left()
        well, shown = self(*words)
        assert not well
        assert {row["key"] for row in shown["rows"]} == set(keys), shown
        assert self.left() == before
        well, shown = self("--delete", *words)
        assert self.left() == before - set(keys), shown

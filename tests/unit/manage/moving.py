# SPDX-License-Identifier: Apache-2.0
"""A Glance with images in files, buckets in memory, and the whole command over them."""

from __future__ import annotations

import hashlib
import json
import pathlib
import threading
import uuid
from collections.abc import Callable
from collections.abc import Iterable
from typing import Any

import pytest

from s3gateway.glance.releases import Traits
from s3gateway.manage import main
from s3gateway.manage.context import Context
from s3gateway.manage.operator import Operator
from tests.support import schema
from tests.support.s3.memory import MemoryStore
from tests.support.s3.memory import store_settings
from tests.unit.manage.bench import CONFIG

LONG_AGO = "2020-01-01T00:00:00Z"


class Glance:
    """An image API whose images are in the store ``local`` at first.

    :ivar before_data: called with an image's id before its data is handed out
    :ivar deleted: ids of images that there were
    :ivar registers: whether it takes the location of data for an image
    :ivar size_of: returns the size of the object of a key
    """

    def __init__(self) -> None:
        self.shown: dict[str, dict[str, Any]] = {}
        self.data: dict[str, bytes] = {}
        self.before_data: Callable[[str], None] = lambda image_id: None
        self.deleted: set[str] = set()
        self.registers = True
        self.size_of: Callable[[str], int] = lambda key: 0
        self._lock = threading.Lock()

    def image(self, data: bytes = b"an image", **properties: str) -> str:
        """Have an image, and return its id."""
        image_id = str(uuid.uuid4())
        place = {"url": f"file:///{image_id}", "metadata": {"store": "local"}}
        self.data[image_id] = data
        self.shown[image_id] = {
            "id": image_id,
            "status": "active",
            "size": len(data),
            "checksum": hashlib.md5(data, usedforsecurity=False).hexdigest(),
            "updated_at": LONG_AGO,
            "visibility": "shared",
            "owner": "acme",
            "locations": [place],
            **properties,
        }
        return image_id

    def stores(self, image_id: str) -> list[str]:
        return [
            place["metadata"]["store"] for place in self.shown[image_id]["locations"]
        ]

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        words = environ["PATH_INFO"].strip("/").split("/")
        status, body = self._answer(environ, words)
        start_response(f"{status} Whatever", [("Content-Type", "application/json")])
        return [body]

    def _answer(self, environ: dict[str, Any], words: list[str]) -> tuple[int, bytes]:
        method = environ["REQUEST_METHOD"]
        if words == ["v2", "images"]:
            if method == "POST":
                return self._create(json.loads(environ["wsgi.input"].read()))
            hidden = "os_hidden=true" in environ["QUERY_STRING"]
            images = [] if hidden else list(self.shown.values())
            return 200, json.dumps({"images": images}).encode()
        image_id = words[-2] if words[-1] == "file" else words[-1]
        if image_id not in self.shown:
            return 404, b"{}"
        if words[-1] == "file":
            self.before_data(image_id)
            return 200, self.data[image_id]
        with self._lock:
            return self._changed(environ, words, image_id)

    def _changed(
        self, environ: dict[str, Any], words: list[str], image_id: str
    ) -> tuple[int, bytes]:
        """Change an image as it is asked for, if it is; return it."""
        method, image = environ["REQUEST_METHOD"], self.shown[image_id]
        if method == "PATCH":
            for change in json.loads(environ["wsgi.input"].read()):
                self._change(image, change["path"], change["value"])
        elif method == "DELETE" and words[1] == "images":
            del self.shown[image_id]
        elif method == "DELETE":
            image["locations"] = [
                place
                for place in image["locations"]
                if place["metadata"]["store"] != words[2]
            ]
        return 200, json.dumps(image).encode()

    def _create(self, fields: dict[str, Any]) -> tuple[int, bytes]:
        fields.setdefault("id", str(uuid.uuid4()))
        if fields["id"] in self.deleted or fields["id"] in self.shown:
            return 409, b"{}"
        image = {"status": "queued", "updated_at": LONG_AGO, "locations": [], **fields}
        self.shown[fields["id"]] = image
        return 201, json.dumps(image).encode()

    def _change(self, image: dict[str, Any], path: str, value: Any) -> None:
        if path == "/locations/-":
            image["locations"] = [*image["locations"], value]
        elif path == "/locations" and self.registers:
            [place] = value
            key = place["url"].rpartition("/")[2]
            facts = place.pop("validation_data")
            image.update(facts, status="active", size=self.size_of(key))
            image["locations"] = [place]
        elif path != "/locations":
            image[path.removeprefix("/")] = value

    def remembers(self, image_id: str) -> bool:
        return image_id in self.shown or image_id in self.deleted

    def left_saving(self, image_id: str) -> float | None:
        return None

    def restore(self, image_id: str) -> bool:
        return False


class Moving:
    """The command over a Glance and its stores."""

    def __init__(
        self,
        directory: pathlib.Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        self.glance = Glance()
        self.stores = {
            name: MemoryStore(store_settings(name)) for name in ("fast", "cheap")
        }
        self.said = ""
        self._capsys = capsys
        self._config = directory / "glance-api.conf"
        backends = "enabled_backends = fast:s3,cheap:s3"
        self._config.write_text(CONFIG.replace(backends, f"{backends},local:file"))
        self.glance.size_of = lambda key: next(
            len(store.objects_by_key[key])
            for store in self.stores.values()
            if key in store.objects_by_key
        )
        operator = Operator(self.glance, lambda asked: asked, Traits(), self.glance)
        monkeypatch.setattr(Context, "stores", self.stores)
        monkeypatch.setattr(Context, "glance", operator)

    def configure(self, more: str) -> None:
        """Add lines to the configuration."""
        self._config.write_text(self._config.read_text() + more)

    def __call__(self, *words: str) -> tuple[int, dict[str, Any]]:
        """Return the exit code and the document; ``said`` is what went elsewhere."""
        code = main([f"--config-file={self._config}", *words, "--json"])
        printed = self._capsys.readouterr()
        self.said = printed.err
        return code, schema.valid(json.loads(printed.out))

    def states(self, document: dict[str, Any]) -> dict[str, tuple[str, str]]:
        """Return state and code by image."""
        return {row["image"]: (row["state"], row["code"]) for row in document["rows"]}

    def kept(self) -> int:
        """Return how many objects of images there are."""
        return sum(len(store.objects_by_key) for store in self.stores.values())

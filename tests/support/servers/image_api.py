# SPDX-License-Identifier: Apache-2.0
"""A Glance in memory: the image API as far as an upload asks it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from collections.abc import Iterable
from typing import Any

Hook = Callable[[str], None]


class ImageApi:
    """A WSGI app.  A PATCH is no more atomic than Glance's on MariaDB.

    It reads the image, and writes it later in a transaction that does not see which
    locations came meanwhile: they stay, and the rest of the image is overwritten.

    :ivar rows: the locations of each image, as the database has them
    :ivar before: called with the method before a request is carried out, and as
        ``commit`` before a PATCH writes
    :ivar after: called with the method when a request was carried out; what it raises
        is raised in place of the answer
    :ivar usage: what it says of the project's limits
    :param size_of: returns the size of the object at a URL, ``None`` if there is none
    """

    def __init__(self, size_of: Callable[[str], int | None]) -> None:
        self.images: dict[str, dict[str, Any]] = {}
        self.rows: dict[str, list[dict[str, Any]]] = {}
        self.before: Hook = lambda method: None
        self.after: Hook = lambda method: None
        self.received: list[bytes] = []
        self.usage: dict[str, dict[str, int]] = {}
        self._size_of = size_of

    def create(self, **properties: str) -> str:
        """Make an image that awaits its data; return its id."""
        image_id = str(uuid.uuid4())
        self.images[image_id] = {
            "id": image_id,
            "status": "queued",
            "owner": "acme",
            "disk_format": "raw",
            "container_format": "bare",
            **properties,
        }
        self.rows[image_id] = []
        return image_id

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if environ["PATH_INFO"] == "/v2/info/usage":
            start_response("200 OK", [("Content-Type", "application/json")])
            return [json.dumps({"usage": self.usage}).encode()]
        if environ["PATH_INFO"] == "/v2/info/stores/detail":
            is_admin = "admin" in environ.get("HTTP_X_ROLES", "")
            told = "200 OK" if is_admin else "403 Forbidden"
            environ["PATH_INFO"] = "/info/stores/detail"  # as Paste's urlmap does
            start_response(told, [("Content-Type", "application/json")])
            return [b'{"stores": []}']
        image_id = environ["PATH_INFO"].split("/")[3].lower()
        self.before(method)
        status = 404
        if image_id in self.images:
            status = getattr(self, f"_{method.lower()}")(image_id, body)
        shown = self._shown(image_id) if status == 200 else {}
        self.after(method)
        start_response(f"{status} Whatever", [("Content-Type", "application/json")])
        return [json.dumps(shown).encode()]

    def _get(self, image_id: str, body: bytes) -> int:
        return 200

    def _put(self, image_id: str, body: bytes) -> int:
        self.received.append(body)
        return 409 if self.images[image_id]["status"] == "active" else 204

    def _post(self, image_id: str, body: bytes) -> int:
        return 202

    def _patch(self, image_id: str, body: bytes) -> int:
        *formats, change = json.loads(body)
        if change["op"] == "add":  # the rehearsal: no store has such a scheme
            return 400
        [location] = change["value"]
        size = self._size_of(location["url"])
        seen = list(self.rows[image_id])
        if size is None or seen:
            return 400
        self.before("commit")
        if image_id not in self.images:
            return 404
        self.rows[image_id].append(location)
        digests = location["validation_data"]
        for one in formats:
            self.images[image_id][one["path"].strip("/")] = one["value"]
        self.images[image_id].update(digests, status="active", size=size)
        return 200

    def _shown(self, image_id: str) -> dict[str, Any]:
        return {**self.images[image_id], "locations": self.rows[image_id]}

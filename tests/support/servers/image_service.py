# SPDX-License-Identifier: Apache-2.0
"""An image service over HTTP, with or without the gateway before it, for one user."""

from __future__ import annotations

import hashlib
import http.server
import json
import re
from collections.abc import Callable
from typing import Any

from s3gateway import uris
from tests.support.s3.memory import MemoryStore

TOKEN = "a token"
VERSION = "1.2.3"

Hook = Callable[[str], int]


class ImageService:
    """Images of one user, with their data in a store.

    :ivar gateway: whether the gateway takes part
    :ivar takes: whether it takes uploads
    :ivar admin: whether the user is one
    :ivar spares: whether it leaves the data of deleted images where it is
    :ivar before: called with the name of a request; what it returns, if not 0, is the
        status of the answer.  With -1 the connection is cut
    :ivar data: called with what a download hands out; returns what it does hand out
    :ivar asked: the names of the requests
    """

    def __init__(self, store: MemoryStore) -> None:
        self.gateway = True
        self.takes = True
        self.admin = False
        self.images: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        self.before: Hook = lambda request: 0
        self.spares = False
        self.data: Callable[[bytes], bytes] = lambda data: data
        self._store = store

    def handler(self, *words: Any) -> http.server.BaseHTTPRequestHandler:
        """Return a handler of a connection."""
        return _Handler(self, *words)

    def create(self, fields: dict[str, Any]) -> dict[str, Any]:
        image = {**fields, "status": "queued"}
        self.images[image["id"]] = image
        return image

    def key(self, image_id: str) -> str:
        return f"{image_id}.{'0' * 16}" if self.gateway and self.takes else image_id

    def save(self, image_id: str, data: bytes) -> None:
        key = self.key(image_id)
        self._store.write(key, data)
        where = uris.StoredURI(
            scheme="s3", service="s3.example:9000", bucket="images-of-glance", key=key
        )
        url = f"s3://fast/{image_id}" if self.gateway else str(where)
        self.images[image_id].update(
            status="active",
            size=len(data),
            checksum=hashlib.md5(data, usedforsecurity=False).hexdigest(),
            os_hash_algo="sha512",
            os_hash_value=hashlib.sha512(data).hexdigest(),
            locations=[{"url": url, "metadata": {"store": "fast"}}],
            direct_url=url,
            stores="fast",
        )

    def read(self, image_id: str) -> bytes:
        return self.data(self._store.objects_by_key[self.key(image_id)])

    def delete(self, image_id: str) -> None:
        del self.images[image_id]
        if not self.spares:
            self._store.objects_by_key.pop(self.key(image_id), None)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, service: ImageService, *words: Any) -> None:
        self._service = service
        super().__init__(*words)

    def do_POST(self) -> None:
        if self._goes("create"):
            self._say(201, self._service.create(json.loads(self._body())))

    def do_PUT(self) -> None:
        if self._goes("upload"):
            self._service.save(self._image_id(), self._body())
            self._say(204)

    def do_DELETE(self) -> None:
        if self._goes("delete"):
            self._service.delete(self._image_id())
            self._say(204)

    def do_GET(self) -> None:
        if self.path.endswith("/stores/detail"):
            self._details()
        elif self.path.startswith("/v2/images?"):
            self._say(200, {"images": list(self._service.images.values())})
        elif self.path.endswith("/file"):
            self._file()
        elif self._goes("show"):
            self._say(200, self._service.images[self._image_id()])

    def _details(self) -> None:
        if self._goes("details", 0 if self._service.admin else 403):
            told = {"S3gateway-Version": VERSION} if self._service.gateway else {}
            self._say(200, {"stores": []}, **told)

    def _file(self) -> None:
        ranged = "Range" in self.headers
        if not self._goes("range" if ranged else "download"):
            return
        data, told = self._service.read(self._image_id()), {}
        if self._service.gateway:
            told = {"ETag": '"tag"', "Accept-Ranges": "bytes"}
        elif ranged:
            self._say(400)
            return
        if ranged:
            found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"])
            assert found
            data = data[int(found[1]) : int(found[2]) + 1]
        self._say(206 if ranged else 200, data, **told)

    def _goes(self, request: str, status: int = 0) -> bool:
        """Whether a request is carried out; if not, it is answered."""
        self._service.asked.append(request)
        status = status or self._service.before(request)
        if not status and self.headers["X-Auth-Token"] != TOKEN:
            status = 401
        if not status and request != "create" and "/images/" in self.path:
            status = 0 if self._image_id() in self._service.images else 404
        if status > 0:
            self._body()
            self._say(status)
        self.close_connection = self.close_connection or status < 0
        return not status

    def _image_id(self) -> str:
        return self.path.split("/")[3]

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"] or 0))

    def _say(self, status: int, document: Any = None, **headers: str) -> None:
        is_data = isinstance(document, bytes)
        body = document if is_data else json.dumps(document).encode()
        if status == 204:
            body = b""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        pass

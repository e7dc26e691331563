# SPDX-License-Identifier: Apache-2.0
"""A bare client of the image API: it sends exactly what the test says."""

from __future__ import annotations

import dataclasses
import json
import socket
import time
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any
from urllib import parse

import requests

_PATIENCE = 60.0  # seconds

OCTETS = "application/octet-stream"
PATCH = "application/openstack-images-v2.1-json-patch"


@dataclasses.dataclass(frozen=True)
class Response:
    """An answer, read to its end."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Api:
    """A user of a Glance; every request has a new connection.

    uWSGI closes connections without saying so, which a pool would stumble over.
    """

    def __init__(self, url: str, token: str = "") -> None:
        self.url = url
        self.token = token

    def request(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        /,
        **headers: str,
    ) -> Response:
        """Send a request; an iterable body is sent in chunks."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            sent.setdefault("X-Auth-Token", self.token)
        answer = requests.request(
            method,
            self.url + path,
            data=body,
            headers=sent,
            timeout=120,
            allow_redirects=False,
        )
        return Response(answer.status_code, dict(answer.headers), answer.content)

    def send_json(
        self, method: str, path: str, document: Any, kind: str = "application/json"
    ) -> Response:
        """Send a JSON document."""
        body = json.dumps(document).encode()
        return self.request(method, path, body, Content_Type=kind)

    def create(self, **fields: Any) -> str:
        """Create an image and return its id."""
        fields = {"disk_format": "raw", "container_format": "bare", **fields}
        answer = self.send_json("POST", "/v2/images", fields)
        assert answer.status == 201, answer
        return str(answer.json()["id"])

    def upload(
        self, image_id: str, body: bytes | Iterable[bytes], **headers: str
    ) -> Response:
        """Upload an image's data."""
        headers.setdefault("Content_Type", OCTETS)
        return self.request("PUT", f"/v2/images/{image_id}/file", body, **headers)

    def download(self, image_id: str, query: str = "", **headers: str) -> Response:
        """Download an image's data."""
        return self.request("GET", f"/v2/images/{image_id}/file{query}", **headers)

    def show(self, image_id: str) -> Any:
        """Return an image."""
        return self.request("GET", f"/v2/images/{image_id}").json()

    def wait_until(
        self, image_id: str, holds: Callable[[dict[str, Any]], bool]
    ) -> None:
        """Wait until something holds for an image."""
        silent = Api(self.url, self.token)
        deadline = time.monotonic() + _PATIENCE
        while not holds(image := silent.show(image_id)):
            assert time.monotonic() < deadline, f"still {image}"
            time.sleep(0.05)

    def patch(self, image_id: str, *changes: dict[str, Any]) -> Response:
        """Change an image."""
        return self.send_json("PATCH", f"/v2/images/{image_id}", list(changes), PATCH)

    def copy(self, image_id: str, store: str) -> None:
        """Have Glance copy an image's data to another store, as an admin may."""
        method = {"method": {"name": "copy-image"}, "stores": [store]}
        self.send_json("POST", f"/v2/images/{image_id}/import", method)
        self.wait_until(image_id, lambda image: store in image["stores"])

    def delete(self, image_id: str) -> Response:
        """Delete an image."""
        return self.request("DELETE", f"/v2/images/{image_id}")

    def connect(self) -> socket.socket:
        """Return a bare connection, for what no client would send."""
        parts = parse.urlsplit(self.url)
        return socket.create_connection((parts.hostname, parts.port), timeout=60)


def in_chunks(data: bytes, size: int = 64 * 1024) -> Iterator[bytes]:
    """Yield data as glanceclient sends it: in chunks, the length untold."""
    for start in range(0, len(data), size):
        yield data[start : start + size]

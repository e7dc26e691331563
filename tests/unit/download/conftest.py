# SPDX-License-Identifier: Apache-2.0
"""A Glance and stores in memory, for a download from top to bottom."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any

import pytest

from s3gateway.config.settings import Settings
from s3gateway.download.handler import Downloads
from s3gateway.glance.api import Glance
from s3gateway.glance.notifications import Notifications
from s3gateway.glance.releases import Traits
from tests.support import configuration
from tests.support.s3.memory import MemoryStore

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

ID = "2f5d5a0e-0000-4000-8000-000000000001"
PATH = f"/v2/images/{ID}/file"
DATA = bytes(range(251)) * 12_000  # some 3 MB
FROM_GLANCE = b"Glance has answered"

_CONFIG = """
[DEFAULT]
enabled_backends = fast:s3,cheap:s3,disk:file
show_multiple_locations = true
[glance_store]
default_backend = fast
[backend_defaults]
s3_store_host = http://s3.example.org:9000
s3_store_access_key = ACCESSKEY
s3_store_secret_key = secret/with+all=the@odd:ones
[fast]
s3_store_bucket = images
[cheap]
s3_store_bucket = archive
[s3gateway]
retry_time = 0.2
"""


class FakeGlance:
    """An app that shows images, and checks who may read them, as Glance does.

    :ivar images: what it shows, by id
    :ivar readable: whether the caller may have the data
    :ivar requests: method, path and Range of what it was asked
    """

    def __init__(self) -> None:
        self.images: dict[str, dict[str, Any]] = {}
        self.readable = True
        self.requests: list[tuple[str, str, str]] = []

    def __call__(
        self, environ: dict[str, Any], start_response: StartResponse
    ) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        asked = environ.get("HTTP_RANGE", "")
        self.requests.append((method, path, asked))
        image = self.images.get(path.split("/")[3])
        if image is None:
            return self._says(start_response, "404 Not Found", b"{}")
        if not path.endswith("/file"):
            return self._says(start_response, "200 OK", json.dumps(image).encode())
        if not self.readable:
            return self._says(start_response, "403 Forbidden", b"{}")
        if asked == f"bytes={image['size']}-":
            return self._says(
                start_response, "416 Requested Range Not Satisfiable", b""
            )
        return self._says(start_response, "200 OK", FROM_GLANCE)

    def _says(
        self, start_response: StartResponse, status: str, body: bytes
    ) -> Iterable[bytes]:
        start_response(status, [("Content-Length", str(len(body)))])
        return [body]

    @property
    def was_passed_to(self) -> bool:
        """Whether the last request was the client's own."""
        _, path, asked = self.requests[-1]
        return path.endswith("/file") and not asked.startswith(f"bytes={len(DATA)}-")


def shown(**changes: Any) -> dict[str, Any]:
    """Return an active image whose data is in both stores, as Glance shows it."""
    image = {
        "id": ID,
        "status": "active",
        "size": len(DATA),
        "checksum": hashlib.md5(DATA, usedforsecurity=False).hexdigest(),
        "os_hash_algo": "sha512",
        "os_hash_value": hashlib.sha512(DATA).hexdigest(),
        "updated_at": "2026-11-20T12:00:00Z",
        "owner": "acme",
        "locations": [location("fast", "images"), location("cheap", "archive")],
    }
    return {**image, **changes}


def location(store: str, bucket: str, key: str = f"{ID}.0123456789abcdef") -> Any:
    url = f"s3+http://s3.example.org:9000/{bucket}/{key}"
    return {"url": url, "metadata": {"store": store}}


def request(method: str = "GET", **fields: str) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": method,
        "PATH_INFO": PATH,
        "QUERY_STRING": "",
        "SERVER_NAME": "glance",
        "SERVER_PORT": "9292",
        "wsgi.url_scheme": "http",
        "HTTP_X_IDENTITY_STATUS": "Confirmed",
        "HTTP_X_PROJECT_ID": "acme",
        "HTTP_X_USER_ID": "alice",
        **fields,
    }


@pytest.fixture
def settings(tmp_path: pathlib.Path) -> Settings:
    path = tmp_path / "glance-api.conf"
    path.write_text(_CONFIG)
    return configuration.read(path)


@pytest.fixture
def glance() -> FakeGlance:
    found = FakeGlance()
    found.images[ID] = shown()
    return found


@pytest.fixture
def stores(settings: Settings) -> dict[str, MemoryStore]:
    found = {name: MemoryStore(store) for name, store in settings.stores.items()}
    for store in found.values():
        store.objects_by_key[f"{ID}.0123456789abcdef"] = DATA
    return found


Make = Callable[..., Downloads]


@pytest.fixture
def make(
    glance: FakeGlance, stores: Mapping[str, MemoryStore], settings: Settings
) -> Make:
    """Return what makes the handler."""

    def made(notifications: Notifications | None = None, **transfer: Any) -> Downloads:
        changed = dataclasses.replace(settings.transfer, **transfer)
        return Downloads(
            Glance(glance),
            Glance(glance),
            stores,
            dataclasses.replace(settings, transfer=changed),
            traits=Traits(),
            notifications=notifications or Notifications(),
        )

    return made

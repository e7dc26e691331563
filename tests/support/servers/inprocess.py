# SPDX-License-Identifier: Apache-2.0
"""The whole gateway in this process, between a Glance and stores in memory."""

from __future__ import annotations

import dataclasses
import io
import json
import pathlib
from typing import Any
from typing import cast

import pytest
import webob

from s3gateway import factory
from s3gateway import uris
from s3gateway.config import settings as gateway_settings
from s3gateway.gateway import Gateway
from s3gateway.glance import identity
from s3gateway.glance import notifications
from s3gateway.glance import releases
from s3gateway.glance.inside import Inside
from s3gateway.glance.notifications import Notifications
from s3gateway.glance.surroundings import Surroundings
from s3gateway.upload import claims
from tests.support import configuration
from tests.support.s3.memory import MemoryStore
from tests.support.servers.image_api import ImageApi
from tests.support.servers.inside import InsideMemory

GRACE = 300.0
PART = 1024**2

_CONFIGURATION = """
[DEFAULT]
enabled_backends = fast:s3, cheap:s3
show_multiple_locations = True
[glance_store]
default_backend = fast
[fast]
s3_store_host = http://s3.example:9000
s3_store_access_key = KEY
s3_store_secret_key = SECRET
s3_store_bucket = fast
[cheap]
s3_store_host = http://s3.example:9000
s3_store_access_key = KEY
s3_store_secret_key = SECRET
s3_store_bucket = cheap
"""
CALLER = {
    "HTTP_X_PROJECT_ID": "acme",
    "HTTP_X_USER_ID": "alice",
    "HTTP_X_ROLES": "member",
}


class Notifier:
    """oslo.messaging's, as far as it is asked.

    :ivar before: called with each event; what it raises, sending raises
    """

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.before: Any = lambda event: None

    def info(self, context: Any, event: str, payload: Any) -> None:
        self.before(event)
        self.sent.append(("INFO", event))

    def error(self, context: Any, event: str, payload: Any) -> None:
        self.before(f"{event} failed")
        self.sent.append(("ERROR", event))


class InProcess:
    """A Glance, its stores, and gateways in front of it.

    An object of more than ``PART`` bytes is a multipart upload.

    :param options: lines of Glance's ``[DEFAULT]``
    """

    def __init__(
        self,
        directory: pathlib.Path,
        monkeypatch: pytest.MonkeyPatch,
        *options: str,
    ) -> None:
        path = directory / "glance-api.conf"
        path.write_text("\n".join(["[DEFAULT]", *options, _CONFIGURATION]))
        self._conf = configuration.parse(path)
        self.settings = gateway_settings.read(self._conf)
        parts = {
            "part_size": PART,
            "large_object_size": PART + 1,
            "max_parts_in_flight": 1,  # one after another, in an order to rely on
        }
        self.stores = {
            name: MemoryStore(dataclasses.replace(found, **parts))  # type: ignore[arg-type]
            for name, found in self.settings.stores.items()
        }
        self.glance = ImageApi(self._size_of)
        self.notifier = Notifier()
        sent = Notifications(self.notifier)
        monkeypatch.setattr(factory, "s3_stores", lambda settings: self.stores)
        monkeypatch.setattr(factory, "_spare_what_is_there", lambda: None)
        monkeypatch.setattr(notifications, "of_glance", lambda conf, settings: sent)

    def gateway(self, *, inside: InsideMemory | None = None) -> Gateway:
        """Make another gateway.

        :param inside: Glance's own code, if that is to take the uploads
        """
        here = Surroundings(
            traits=releases.Traits(),
            identity=identity.caller,
            inside=cast("Inside | None", inside),
        )
        return factory.build(self.glance, self._conf, self.settings, here)

    def put(self, gateway: Gateway, image_id: str, data: bytes, store: str = "") -> int:
        """Upload through a gateway; return the status of the answer."""
        environ = {
            **webob.Request.blank(f"/v2/images/{image_id}/file").environ,
            **CALLER,
            "REQUEST_METHOD": "PUT",
            "CONTENT_TYPE": "application/octet-stream",
            "HTTP_TRANSFER_ENCODING": "chunked",
            "wsgi.input": io.BytesIO(data),
        }
        if store:
            environ["HTTP_X_IMAGE_META_STORE"] = store
        status, _, body = webob.Request(environ).call_application(gateway)
        b"".join(body)
        return int(status.split(" ")[0])

    def age(self, seconds: float) -> None:
        """Let time pass in the stores."""
        for store in self.stores.values():
            store.now += seconds

    def data_of(self, image_id: str) -> list[bytes]:
        """Return what is at each of an image's locations; empty if there is nothing."""
        found = []
        for location in self.glance.rows[image_id]:
            uri = _parsed(location["url"])
            objects = self.stores[uri.bucket].objects_by_key
            found.append(objects.get(uri.key, b""))
        return found

    def left(self, image_id: str) -> set[str]:
        """Return the keys of objects and open uploads that the image has not."""
        needed = {_parsed(row["url"]).key for row in self.glance.rows[image_id]}
        found = set()
        for store in self.stores.values():
            found |= {key for key in store.objects_by_key if key[0] != "."}
            found |= {
                upload.removeprefix("upload-of-") for upload in store.open_uploads
            }
        return found - needed

    def claimed(self, *, running: bool = False) -> set[str]:
        """Return the keys that the claims name.

        :param running: whether those that say that they are over do not count
        """
        found = set()
        for store in self.stores.values():
            for key, data in store.objects_by_key.items():
                if key.startswith(claims.PREFIX):
                    claim = json.loads(data)
                    if not (running and claim["over"]):
                        found |= {attempt["key"] for attempt in claim["attempts"]}
        return found

    def _size_of(self, url: str) -> int | None:
        uri = _parsed(url)
        data = self.stores[uri.bucket].objects_by_key.get(uri.key)
        return None if data is None else len(data)


def _parsed(url: str) -> uris.StoredURI:
    uri = uris.try_parse(url)
    assert uri is not None
    return uri

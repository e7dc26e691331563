# SPDX-License-Identifier: Apache-2.0
"""One image that is uploaded and downloaded as a user does, and what is seen of it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
import uuid
from collections.abc import Mapping
from typing import Any

from s3gateway import uris
from s3gateway.errors import ObjectNotFound
from s3gateway.errors import StoreError
from s3gateway.manage import user_api
from s3gateway.manage.exposed import Exposed
from s3gateway.manage.sample import Sample
from s3gateway.manage.user_api import NO_ANSWER
from s3gateway.manage.user_api import Incoming
from s3gateway.manage.user_api import Said
from s3gateway.manage.user_api import UserApi
from s3gateway.monitoring.version import HEADER
from s3gateway.store import ObjectStore

_RANGE = 1024**2
#: How long an object may take to come into a listing, in seconds.
_LISTED = 5.0


class Failed(Exception):
    """A step did not do what it should; the text says what, and what to do."""


class Trial:
    """An image from its creation to its deletion; each step says what it saw.

    A step raises ``Failed``, a ``StoreError``, or what a request raises.

    :param stores: to look into for the image's object; may be empty
    :param store: that is asked for; Glance's default if empty
    :param scrubbed: whether deleted images' data is left to Glance's scrubber
    """

    def __init__(
        self,
        api: UserApi,
        sample: Sample,
        stores: Mapping[str, ObjectStore],
        store: str = "",
        *,
        scrubbed: bool = False,
    ) -> None:
        self._api = api
        self._sample = sample
        self._stores = stores
        self._store = store
        self._scrubbed = scrubbed
        self._exposed = Exposed([s.settings for s in stores.values()], api.url)
        self._image_id = str(uuid.uuid4())  # ours, so that it is known what to delete
        self._went_to = ""
        self._serves = False
        self._object: tuple[str, str] | None = None  # the store, and the key
        self._deleted = True

    def create(self) -> str:
        """Create the image."""
        body = user_api.new_image(self._image_id, "s3gateway-manage selftest")
        self._deleted = False  # from now on there may be one, whatever is answered
        said = self._ask("POST", "/v2/images", body, user_api.JSON)
        self._deleted = 400 <= said.status < 500
        _expect(said.status, 201)
        if _document(said)["id"] != self._image_id:
            raise Failed("the answer is another image")
        return f"image {self._image_id}"

    def upload(self) -> str:
        """Upload the data, with its length."""
        headers = {**user_api.OCTETS, "X-OpenStack-Image-Size": str(len(self._sample))}
        if self._store:
            headers["X-Image-Meta-Store"] = self._store
        began = time.monotonic()
        said = self._ask("PUT", f"{self._path}/file", self._sample, headers)
        _expect(said.status, 204)
        return _speed(len(self._sample), began)

    def show(self) -> str:
        """Show and list the image; compare what is said of its data."""
        said = self._ask("GET", self._path)
        _expect(said.status, 200)
        image = _document(said)
        self._ask("GET", f"/v2/images?id=in:{self._image_id}")
        self._went_to = str(image.get("stores") or "")
        self._compare(image)
        shown = "locations" in image or "direct_url" in image
        seen = "locations are shown" if shown else "no location is shown"
        where = f" in {self._went_to}" if self._went_to else ""
        return f"active{where}, size and digests are right, {seen}"

    def download(self) -> str:
        """Download the data and compare it."""
        began, found, size = time.monotonic(), hashlib.sha256(), 0
        with self._api.download(f"{self._path}/file") as incoming:
            self._take_in(incoming)
            _expect(incoming.status, 200)
            for chunk in incoming.chunks:
                found.update(chunk)
                size += len(chunk)
        if found.hexdigest() != self._sample.digest("sha256"):
            raise Failed(f"{size} bytes came, and they are not those that were sent")
        return _speed(size, began)

    def download_range(self) -> str:
        """Download a part from the middle and compare it."""
        start = len(self._sample) // 2 - 1
        stop = min(start + _RANGE, len(self._sample))
        headers = {"Range": f"bytes={start}-{stop - 1}"}
        with self._api.download(f"{self._path}/file", headers) as incoming:
            self._take_in(incoming)
            _expect(incoming.status, 206)
            data = b"".join(incoming.chunks)
        if data != self._sample.part(start, stop):
            raise Failed(f"{len(data)} bytes came, and they are not the right ones")
        return f"{len(data)} bytes from byte {start} on"

    def look_for_gateway(self) -> str:
        """Find out whether it was the gateway that took and handed out the data."""
        took = self._was_taken()
        if took is False and self._serves:
            raise Failed(
                "the gateway handed the data out, but Glance itself took it: look for "
                "'is left to Glance' in its log, or name an S3 store by --store"
            )
        if took is False or not self._serves:
            raise Failed(
                "Glance itself answered: the filter is not in the pipeline that runs, "
                "or not this way, or the store is not in S3; run check, restart Glance"
            )
        version = self._ask("GET", "/v2/info/stores/detail").headers.get(HEADER, "")
        running = f"s3gateway {version}" if version else "the gateway"
        if took is None:
            return f"{running} handed the data out; who took it is not known"
        return f"{running} took the data and handed it out"

    def look_for_leaks(self) -> str:
        """Find out whether an answer showed what users must not see."""
        if found := self._exposed.found():
            raise Failed("; ".join(found))
        seen = f"{self._exposed.count} answers show nothing of S3"
        if "admin" in self._api.roles:
            return f"{seen}, to an admin: run it as a member to see what users see"
        return seen

    def delete(self) -> str:
        """Delete the image."""
        said = self._ask("DELETE", self._path)
        _expect(said.status, 204)
        self._deleted = True
        return ""

    def look_for_rest(self) -> str:
        """Find out whether the image and its object are gone."""
        _expect(self._ask("GET", self._path).status, 404)
        if self._object is None:
            return "the image is gone"
        store, key = self._object
        try:
            self._stores[store].stat(key)
        except ObjectNotFound:
            return "the image and its object are gone"
        if self._scrubbed:
            return "the image is gone; its object waits for glance-scrubber"
        raise Failed(
            f"the object is still in store {store}: look at Glance's log, and whether "
            "its keys may delete; gc finds it"
        )

    def clean(self) -> str:
        """Delete the image if it is still there; return its id if that fails."""
        if self._deleted:
            return ""
        with contextlib.suppress(*NO_ANSWER):
            if self._api.ask("DELETE", self._path).status in (204, 404):
                return ""
        return self._image_id

    @property
    def _path(self) -> str:
        return f"/v2/images/{self._image_id}"

    def _ask(self, method: str, path: str, *how: Any) -> Said:
        said = self._api.ask(method, path, *how)
        self._exposed.look(f"{method} {path}", said.headers, said.body)
        return said

    def _take_in(self, incoming: Incoming) -> None:
        """Look at how a download is answered: stock Glance offers no ranges."""
        self._exposed.look("GET of the data", incoming.headers, b"")
        offer = incoming.headers.get("Accept-Ranges", "")
        self._serves = self._serves or (offer == "bytes" and "ETag" in incoming.headers)

    def _compare(self, image: Mapping[str, Any]) -> None:
        if image.get("status") != "active":
            raise Failed(f"the image is {image.get('status')}, not active")
        if image.get("size") != len(self._sample):
            raise Failed(f"the image has {image.get('size')} bytes")
        algorithm = str(image.get("os_hash_algo") or "")
        digests = [
            ("md5", image.get("checksum")),
            (algorithm, image.get("os_hash_value")),
        ]
        for name, shown in digests:
            if shown and shown != self._sample.digest(name):
                raise Failed(f"the {name} is not that of the data that was sent")

    def _was_taken(self) -> bool | None:
        """Whether the gateway stored the object, ``None`` if that is not known.

        It names objects otherwise than Glance's own driver does.
        """
        if not self._stores:
            return None
        deadline = time.monotonic() + _LISTED
        while self._object is None:
            try:
                self._object = self._listed()
            except StoreError:
                return None
            if time.monotonic() > deadline:
                return False
            time.sleep(0.2 if self._object is None else 0)
        key = self._object[1]
        if not uris.is_ours(key):  # Glance's own are the image's id
            return False
        self._exposed.hide(key, "the key of the object")
        return True

    def _listed(self) -> tuple[str, str] | None:
        for name, store in self._stores.items():
            if self._went_to and name not in self._went_to.split(","):
                continue
            for found in store.objects(self._image_id):
                return name, found.key
        return None


def _document(said: Said) -> dict[str, Any]:
    try:
        document = json.loads(said.body)
    except ValueError:
        document = None
    if not isinstance(document, dict) or "id" not in document:
        raise Failed("the answer is no image: is the address that of the image API?")
    return document


def _expect(status: int, expected: int) -> None:
    if status != expected:
        raise Failed(f"answered {status}, not {expected}")


def _speed(size: int, began: float) -> str:
    rate = size / max(time.monotonic() - began, 1e-6) / 1024**2
    return f"{size} bytes, {rate:.1f} MiB/s"

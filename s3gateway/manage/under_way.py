# SPDX-License-Identifier: Apache-2.0
"""The uploads that claims, multipart uploads and images that are ``saving`` tell of."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from typing import Protocol

from s3gateway import uris
from s3gateway.errors import ObjectNotFound
from s3gateway.errors import StoreError
from s3gateway.glance.api import Image
from s3gateway.glance.marks import marked_since
from s3gateway.manage.operator import Operator
from s3gateway.store import Listed
from s3gateway.store import ObjectStore
from s3gateway.upload import claims
from s3gateway.upload.claims import Attempt
from s3gateway.upload.claims import Recorded

ALIVE, DEAD, UNKNOWN = "alive", "dead", "unknown"

_PAGE = 500  # images asked for at once

_COLLECTED = "the next upload to the image, or gc --delete, collects what it has left"
_OVER = "it is over, and gc --delete collects what it has left"
_OTHERS = "Glance's own, not the gateway's"


class Bucket(ObjectStore, Protocol):
    """A store that says how much of a multipart upload it has."""

    def received(self, key: str, upload_id: str) -> int:
        """Return how many bytes are there.

        :raises ObjectNotFound: if there is no such upload
        """


@dataclasses.dataclass
class Found:
    """An upload.

    :ivar store: where to, empty if that is not known
    :ivar gateway: the host of the gateway, empty if that is not known
    :ivar since: when it began, in seconds since the epoch
    :ivar silent: seconds since its last sign of life
    :ivar received: bytes that are in the store
    """

    image_id: str
    store: str = ""
    state: str = ALIVE
    gateway: str = ""
    since: float | None = None
    silent: float | None = None
    received: int | None = None
    detail: str = ""


class Uploads:
    """Uploads by image, store and object.

    :param grace: seconds without progress after which one is dead
    """

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._found: dict[tuple[str, str, str], Found] = {}

    def found(self) -> list[Found]:
        """Return all of them, the oldest first."""
        return sorted(self._found.values(), key=lambda found: found.since or 0.0)

    def look_into(self, store: Bucket) -> None:
        """Look for claims and multipart uploads in a store.

        :raises StoreError: if it cannot be listed
        """
        for claim in claims.standing({store.name: store}):
            with contextlib.suppress(ObjectNotFound):  # it went this very moment
                key = claims.PREFIX + claim.image_id
                self._claim(store.name, claim.image_id, _read(store, key))
        for listed in store.uploads():
            self._multipart(store, listed)

    def look_at(self, image: Image) -> None:
        """Look at an image that is ``saving``; the stores come first."""
        marked = marked_since(image)
        known = [u for u in self._found.values() if u.image_id == image.id.lower()]
        alive = [upload for upload in known if upload.state == ALIVE]
        old = marked is None or time.time() - marked >= self._grace
        if alive or (known and old):
            for upload in alive or known:
                upload.since = marked or upload.since
            return
        upload = self._of(image.id, "", "")
        upload.since = marked
        if marked is None:
            upload.state, upload.detail = UNKNOWN, _OTHERS
        else:
            self._heard(upload, time.time() - marked)

    def _claim(self, name: str, image_id: str, claim: Recorded) -> None:
        """Take in a claim; earlier releases kept those of all stores in one."""
        own = claim.attempts[0] if claim.attempts else Attempt(name, "")
        upload = self._of(image_id, own.store, own.key)
        upload.gateway = claim.gateway
        self._heard(upload, claim.age)
        if claim.is_over:
            upload.state, upload.detail = DEAD, _OVER

    def _multipart(self, store: Bucket, listed: Listed) -> None:
        image_id = uris.image_id_of(listed.key)
        if not image_id:  # one of check's, say
            return
        upload = self._of(image_id, store.name, listed.key)
        upload.since = time.time() - listed.age
        with contextlib.suppress(StoreError):
            upload.received = store.received(listed.key, listed.upload_id)
        if upload.silent is not None:  # a claim says more
            return
        if uris.is_ours(listed.key):
            self._heard(upload, listed.age)
        else:
            upload.state, upload.detail = UNKNOWN, _OTHERS

    def _of(self, image_id: str, store: str, key: str) -> Found:
        found = Found(image_id.lower(), store)
        return self._found.setdefault((found.image_id, store, key), found)

    def _heard(self, upload: Found, silent: float) -> None:
        """Take in how long ago there was a sign of life."""
        upload.silent = min(silent, silent if upload.silent is None else upload.silent)
        if upload.silent >= self._grace:
            upload.state, upload.detail = DEAD, _COLLECTED
        else:
            upload.state, upload.detail = ALIVE, ""


def saving(operator: Operator) -> Iterator[Image]:
    """Yield the images that are ``saving``, of all projects, hidden ones as well."""
    for hidden in ("false", "true"):
        query = f"limit={_PAGE}&visibility=all&status=saving&os_hidden={hidden}"
        found = operator.glance.images(operator.environ(), query)
        yield from (image for image in found if image.status == "saving")


def _read(store: ObjectStore, key: str) -> Recorded:
    """Return a claim, or its mark where that is all.

    :raises ObjectNotFound: if there is neither
    """
    try:
        return claims.read(store, key, cleaning=True)
    except ObjectNotFound:
        return claims.read(store, key + claims.MARK, cleaning=True)

# SPDX-License-Identifier: Apache-2.0
"""Claims: who is uploading an image's data, and what a crash leaves behind.

A claim is the only thing the gateway ever records: a small object in the bucket of
the store that is written to, one for each image that is being uploaded::

    .s3gateway/6f2c5a1e-...                {"nonce": ..., "attempts": [...], ...}
    .s3gateway/6f2c5a1e-....registering    its mark: the same, while it registers

It is made with ``If-None-Match: *``, rewritten while the upload gets on, and gone
when the upload is over; unless that has left something, which it goes on to name.  One
that was not rewritten for the grace time belongs to a gateway that died.  The next
upload takes either over and collects what it names.

``holding`` has the claims that a process holds; ``exclusion`` hands them out.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator
from collections.abc import Mapping

from oslo_log import log as logging

from s3gateway.errors import ObjectNotFound
from s3gateway.store import Note
from s3gateway.store import ObjectStore

LOG = logging.getLogger(__name__)

PREFIX = ".s3gateway/"
MARK = ".registering"


@dataclasses.dataclass(frozen=True)
class Attempt:
    """What one upload may leave in a store.

    :ivar store: the identifier of the store
    :ivar upload_id: of the multipart upload, empty while there is none
    """

    store: str
    key: str
    upload_id: str = ""


@dataclasses.dataclass(frozen=True)
class Recorded:
    """What a claim says, or a mark.

    :ivar age: seconds since its upload last got on, by the store's clock
    :ivar is_over: whether its upload is over, and has left something
    :ivar gateway: the host that wrote it, empty if it does not say
    """

    nonce: str
    attempts: tuple[Attempt, ...]
    age: float
    etag: str
    is_over: bool = False
    gateway: str = ""

    def is_dead(self, grace: float) -> bool:
        """Whether nobody is uploading any more who was when it was written."""
        return self.is_over or self.age >= grace


@dataclasses.dataclass(frozen=True)
class Standing:
    """A claim that stands in a store, or a mark without one.

    :ivar age: seconds since it was written last, by the store's clock
    """

    store: ObjectStore
    image_id: str
    age: float


def read(store: ObjectStore, key: str, *, cleaning: bool = False) -> Recorded:
    """Return what a claim says; one that is damaged names no attempts.

    :param cleaning: as of ``ObjectStore.note``
    :raises ObjectNotFound: if there is none
    """
    note = store.note(key, cleaning=cleaning)
    try:
        content = json.loads(note.data)
        attempts = tuple(Attempt(**attempt) for attempt in content["attempts"])
        return Recorded(
            str(content["nonce"]),
            attempts,
            note.age,
            note.etag,
            is_over=bool(content.get("over")),
            gateway=str(content.get("gateway") or ""),
        )
    except (ValueError, KeyError, TypeError):
        LOG.warning("Object %s is not a claim that can be read", key)
        return Recorded("", (), note.age, note.etag)


def note(store: ObjectStore, key: str) -> Note:
    """Return a claim as it is in its store, or its mark where that is all.

    :raises ObjectNotFound: if there is neither
    """
    try:
        return store.note(key)
    except ObjectNotFound:
        return store.note(key + MARK)


def places(stores: Mapping[str, ObjectStore], name: str = "") -> dict[str, ObjectStore]:
    """Return the stores that may hold claims of uploads to one store, or to any.

    A claim is in the store that it is about.  Earlier releases kept all claims in the
    first store.

    :param stores: all S3 stores, in the configured order
    :param name: of the store that the uploads go to; any if empty
    """
    first = next(iter(stores), "")
    return {key: stores[key] for key in stores if not name or key in (name, first)}


def standing(stores: Mapping[str, ObjectStore]) -> Iterator[Standing]:
    """Yield the claims that stand in some stores, one for each store and image."""
    for store in stores.values():
        ages: dict[str, float] = {}
        for found in store.objects(PREFIX):
            image_id = found.key.removeprefix(PREFIX).removesuffix(MARK)
            ages[image_id] = min(found.age, ages.get(image_id, math.inf))
        for image_id, age in ages.items():
            yield Standing(store, image_id, age)

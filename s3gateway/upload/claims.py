# SPDX-License-Identifier: Apache-2.0
"""Claims: small objects in S3 that name running uploads and what a crash would leave.

A claim is the only state that the gateway keeps.  It is in the bucket that the upload
goes to, one for each image::

    .s3gateway/6f2c5a1e-...                {"nonce": ..., "attempts": [...], ...}
    .s3gateway/6f2c5a1e-....registering    its mark: the same, while registering

The upload creates it with ``If-None-Match: *``, rewrites it while it makes progress,
and deletes it at the end.  If the upload leaves something in S3, the claim stays and
names it.  If a claim is not rewritten for the grace time, its gateway has died.  In
both cases the next upload takes the claim over and collects what it names.

``holding`` has the claims of this process; ``exclusion`` gives them out.
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
    """Object or multipart upload that one upload may leave in a store.

    :ivar store: the identifier of the store
    :ivar upload_id: of the multipart upload, empty while there is none
    """

    store: str
    key: str
    upload_id: str = ""


@dataclasses.dataclass(frozen=True)
class Recorded:
    """The content of a claim or a mark.

    :ivar age: seconds since the last progress of its upload, by the store's clock
    :ivar is_over: whether its upload has ended and left something
    :ivar gateway: the host that wrote it, empty if it does not say
    """

    nonce: str
    attempts: tuple[Attempt, ...]
    age: float
    etag: str
    is_over: bool = False
    gateway: str = ""

    def is_dead(self, grace: float) -> bool:
        """Whether its upload has ended or died."""
        return self.is_over or self.age >= grace


@dataclasses.dataclass(frozen=True)
class Standing:
    """A claim in a store, or a mark without a claim.

    :ivar age: seconds since it was last written, by the store's clock
    """

    store: ObjectStore
    image_id: str
    age: float


def read(store: ObjectStore, key: str, *, cleaning: bool = False) -> Recorded:
    """Read a claim; a damaged one names no attempts.

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
        LOG.warning("Object %s is not a readable claim", key)
        return Recorded("", (), note.age, note.etag)


def note(store: ObjectStore, key: str) -> Note:
    """Return the object of a claim, or of its mark if there is no claim.

    :raises ObjectNotFound: if there is neither
    """
    try:
        return store.note(key)
    except ObjectNotFound:
        return store.note(key + MARK)


def places(stores: Mapping[str, ObjectStore], name: str = "") -> dict[str, ObjectStore]:
    """Return the stores that may hold claims of uploads to one store, or to any.

    A claim is in the store of its upload.  Earlier releases kept all claims in the
    first store.

    :param stores: all S3 stores, in the configured order
    :param name: the store of the uploads; any if empty
    """
    first = next(iter(stores), "")
    return {key: stores[key] for key in stores if not name or key in (name, first)}


def standing(stores: Mapping[str, ObjectStore]) -> Iterator[Standing]:
    """Yield the claims in some stores, one for each store and image."""
    for store in stores.values():
        ages: dict[str, float] = {}
        for found in store.objects(PREFIX):
            image_id = found.key.removeprefix(PREFIX).removesuffix(MARK)
            ages[image_id] = min(found.age, ages.get(image_id, math.inf))
        for image_id, age in ages.items():
            yield Standing(store, image_id, age)

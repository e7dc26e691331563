# SPDX-License-Identifier: Apache-2.0
"""What uploads that died have left in the buckets, and whose it is.

Only what belongs to this Glance is found.  An object says whose it is; one that does
not, or that names another Glance, is nobody's to collect, whatever its key looks like.
A claim of an older gateway, and a multipart upload, say nothing: they are this Glance's
if it has or had their image.
"""

from __future__ import annotations

import collections
import datetime
import math
import time
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping

from oslo_utils import timeutils

from s3gateway import uris
from s3gateway.errors import ObjectNotFound
from s3gateway.errors import StoreError
from s3gateway.manage import drivers_uploads
from s3gateway.manage import faces
from s3gateway.manage.needs import Needs
from s3gateway.manage.operator import Operator
from s3gateway.manage.reasons import DOUBTFUL
from s3gateway.manage.reasons import FOREIGN
from s3gateway.manage.reasons import NAMELESS
from s3gateway.manage.reasons import NEWER
from s3gateway.manage.reasons import UNHEARD_OF
from s3gateway.manage.reasons import UNREADABLE
from s3gateway.manage.remains import Leftover
from s3gateway.manage.remains import spelled
from s3gateway.manage.work import UNLIMITED
from s3gateway.manage.work import Pace
from s3gateway.s3 import trials
from s3gateway.store import Listed
from s3gateway.store import ObjectStore
from s3gateway.upload import claims
from s3gateway.upload.claims import Attempt
from s3gateway.upload.leftovers import hides_its_data
from s3gateway.upload.leftovers import keys_of


class Finder:
    """Looks through the buckets, and then at all images.

    :ivar needed: how many objects of the gateway images refer to
    :ivar spared: how much was left alone, by the reason
    :ivar last_change: when an image was last changed, ``None`` if there is no image
    :ivar notes: what could not be listed, in sentences
    :ivar projects: those of the images that there are, by the image's id
    :ivar complete: whether that was multipart uploads at most
    :param grace: seconds without progress after which an upload is dead
    :param patience: seconds for which everything is left alone; the grace at least
    :param delayed_delete: whether Glance leaves deleted images' data to its scrubber
    :param trusting: whether doubtful things are found too
    :param only: ids of the images whose leftovers are found; all if empty
    :param pace: of looking at them one by one
    :param needs: takes note of all images
    """

    def __init__(
        self,
        operator: Operator,
        stores: Mapping[str, ObjectStore],
        *,
        grace: float,
        patience: float,
        delayed_delete: bool = False,
        trusting: bool = False,
        only: Collection[str] = (),
        pace: Pace = UNLIMITED,
        needs: Needs | None = None,
    ) -> None:
        self.needed = 0
        self.spared: collections.Counter[str] = collections.Counter()
        self.last_change: datetime.datetime | None = None
        self.notes: list[str] = []
        self.projects: dict[str, str] = {}
        self.complete = True
        self._operator = operator
        self._stores = stores
        self._grace = grace
        self._patience = max(grace, patience)
        self._delayed_delete = delayed_delete
        self._trusting = trusting
        self._only = {image_id.lower() for image_id in only}
        self._pace = pace
        self._needs = needs or Needs(operator)
        self._began = time.monotonic()
        self._shown: set[str] = set()
        self._saving: list[str] = []

    def find(self, names: Collection[str]) -> Iterator[Leftover]:
        """Yield what may be collected in some stores, claims before what they name.

        All stores are searched for claims: older gateways kept all in the first one.
        """
        claimed, listed_in = self._claims()
        # Elsewhere nobody knows which uploads are running.
        names = [name for name in listed_in if name in names]
        dead = [
            claim
            for claim in claimed
            if claim.attempt.store in names and self._is_old(claim.age)
        ]
        busy = {claim.image_id for claim in claimed} - {c.image_id for c in dead}
        found = [one for name in names for one in self._in_store(self._stores[name])]
        needed = self._needed_of([*dead, *found])
        for claim in dead:
            if self._is_wanted(claim) and self._is_ours(claim):
                yield claim
            else:
                busy.add(claim.image_id)
        for leftover in found:
            if leftover.image_id in busy or leftover in needed:
                continue
            if self._is_wanted(leftover) and self._is_ours(leftover):
                yield leftover
        if len(names) == len(self._stores):  # a claim may be in any
            yield from self._left_saving({c.image_id for c in (*claimed, *found)})

    def _left_saving(self, others: Collection[str]) -> Iterator[Leftover]:
        """Yield images that are ``saving`` for dead uploads, but for some others."""
        for image_id in self._saving:
            since = self._operator.left_saving(image_id) or math.inf
            left = Leftover("image", Attempt("", image_id), time.time() - since)
            if left.image_id in others or not self._is_wanted(left):
                continue
            if self._is_old(left.age):
                yield left

    def _claims(self) -> tuple[list[Leftover], list[str]]:
        """Return all claims, and the stores of which all claims are known."""
        found: dict[str, list[Leftover]] = {}
        for name, store in self._stores.items():
            try:
                found[name] = [
                    Leftover("claim", Attempt(name, claims.PREFIX + c.image_id), c.age)
                    for c in claims.standing({name: store})
                ]
            except StoreError as error:
                self._not_listed("claims", store, error)
        first = next(iter(self._stores))
        names = list(found) if first in found else []
        return [claim for each in found.values() for claim in each], names

    def _in_store(self, store: ObjectStore) -> Iterator[Leftover]:
        try:
            for listed in self._old_uploads(store):
                attempt = Attempt(store.name, listed.key, listed.upload_id)
                yield Leftover("upload", attempt, listed.age)
        except StoreError as error:
            self._not_listed("uploads", store, error)
        try:
            for listed in self._old(store.objects("")):
                attempt = Attempt(store.name, listed.key)
                yield Leftover("object", attempt, listed.age, listed.size)
        except StoreError as error:
            self._not_listed("objects", store, error)

    def _not_listed(self, what: str, store: ObjectStore, error: StoreError) -> None:
        faces.refuse(store, error)
        self.notes.append(f"The {what} in store {store.name} are not listed: {error}")
        self.complete = self.complete and what == "uploads"

    def _old(self, listing: Iterable[Listed]) -> Iterator[Listed]:
        """Yield of a listing what may be ours and has not been touched for long."""
        for listed in listing:
            if uris.is_ours(listed.key) and self._is_old(listed.age):
                yield listed

    def _old_uploads(self, store: ObjectStore) -> Iterator[Listed]:
        uploads = list(store.uploads())
        yield from self._old(uploads)
        for listed in uploads:
            if drivers_uploads.is_abandoned(store, listed, self._is_old):
                yield listed

    def _is_old(self, age: float) -> bool:
        """Whether something was old already when the claims were listed.

        No claim is known of an upload that began later, while buckets were listed.
        """
        return age - (time.monotonic() - self._began) >= self._patience

    def _needed_of(self, found: Collection[Leftover]) -> set[Leftover]:
        """Look at all images; return the objects that they may need."""
        objects = {one.attempt.key: one for one in found if one.kind == "object"}
        by_image: dict[str, list[Leftover]] = {}
        for leftover in found:
            by_image.setdefault(leftover.image_id, []).append(leftover)
        needed = set()
        for image in self._operator.images():
            self._needs.note(image)
            changed = timeutils.parse_isotime(image.properties["updated_at"])
            self.last_change = max(self.last_change or changed, changed)
            if image.status == "saving":
                self._saving.append(image.id)
            # Whatever the image is called: what it refers to is needed.
            needed |= {objects[key] for key in keys_of(image) if key in objects}
            same_name = by_image.get(image.id.lower(), ())
            self._shown.update(one.image_id for one in same_name)
            if same_name or image.status == "saving":
                self.projects[image.id.lower()] = image.properties.get("owner") or ""
            if hides_its_data(image):
                needed |= {one for one in same_name if one.kind == "object"}
        if self._delayed_delete:  # then what is deleted is glance-scrubber's
            needed |= {one for one in found if one.image_id not in self._shown}
        self.needed = len(needed)
        return needed

    def _is_wanted(self, leftover: Leftover) -> bool:
        return not self._only or leftover.image_id in self._only

    def _is_ours(self, leftover: Leftover) -> bool:
        """Whether something belongs to this Glance, and to what it is now.

        :raises StoreError: if its store cannot be asked at all
        """
        self._pace.wait()
        try:
            objection = self._objection(leftover, self._whose(leftover))
        except ObjectNotFound:  # it went this very moment
            return False
        except StoreError as error:
            if error.store_wide:
                raise
            objection = UNREADABLE
        if objection in DOUBTFUL and self._trusting:
            return True
        if objection:
            self.spared[objection] += 1
        return not objection

    def _whose(self, leftover: Leftover) -> str:
        """Return the id of the Glance that something names, if it names one."""
        store, key = self._stores[leftover.attempt.store], leftover.attempt.key
        if leftover.kind == "claim":
            return claims.note(store, key).glance_id
        return store.stat(key).glance_id if leftover.kind == "object" else ""

    def _objection(self, leftover: Leftover, whose: str) -> str:
        settings = self._stores[leftover.attempt.store].settings
        if whose not in ("", settings.writing.glance_id):
            return FOREIGN
        if not whose and leftover.kind == "object":
            return NAMELESS
        had = self._has_had(leftover)
        if not whose and not had:
            return NAMELESS
        if had is False:
            return UNHEARD_OF
        newer = self._is_newer(leftover.age) and self._may_be_data(leftover)
        return NEWER if newer else ""

    def _has_had(self, leftover: Leftover) -> bool | None:
        """Whether Glance has or had the image, ``None`` if it does not say."""
        if leftover.attempt.key.startswith(trials.PREFIX):
            return True  # it is of no image
        if leftover.image_id in self._shown:
            return True
        ids = {leftover.image_id, spelled(leftover.attempt.key)}
        known = [self._operator.remembers(image_id) for image_id in ids]
        return None if None in known else any(known)

    def _is_newer(self, age: float) -> bool:
        """Whether something was written when Glance's database ends already.

        Then the database may be an older one that was restored.
        """
        if self.last_change is None:
            return True
        quiet = timeutils.utcnow(with_timezone=True) - self.last_change
        return age < quiet.total_seconds() - self._grace

    def _may_be_data(self, leftover: Leftover) -> bool:
        """Whether an image's data may be lost with it; an open upload is no data."""
        if leftover.kind != "claim":
            return leftover.kind == "object"
        store = self._stores[leftover.attempt.store]
        named = claims.read(store, leftover.attempt.key).attempts
        return any(self._is_there(attempt) for attempt in named)

    def _is_there(self, attempt: Attempt) -> bool:
        store = self._stores.get(attempt.store)
        if store is None:  # then it is not deleted either
            return False
        try:
            store.stat(attempt.key)
        except ObjectNotFound:
            return False
        return True

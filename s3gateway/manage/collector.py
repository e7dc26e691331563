# SPDX-License-Identifier: Apache-2.0
"""Deletes what ``gc`` has found, but what an image needs by now.

A claim is taken over first, so that its upload notices should it be alive after all.
Where there is none, one is taken meanwhile: it keeps uploads and ``restore`` out.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence

from oslo_log import log as logging

from s3gateway.config.settings import Settings
from s3gateway.errors import Conflict
from s3gateway.errors import StoreError
from s3gateway.glance.api import Image
from s3gateway.manage import drivers_uploads
from s3gateway.manage.needs import Needs
from s3gateway.manage.operator import Operator
from s3gateway.manage.remains import Leftover
from s3gateway.manage.remains import spelled
from s3gateway.manage.work import UNLIMITED
from s3gateway.manage.work import Pace
from s3gateway.store import ObjectStore
from s3gateway.upload.claims import Attempt
from s3gateway.upload.exclusion import Claims
from s3gateway.upload.holding import Claim
from s3gateway.upload.leftovers import collect
from s3gateway.upload.leftovers import refers_to

LOG = logging.getLogger(__name__)

#: An upload that is alive after all notices within this time that its claim is gone.
_SETTLE = 5.0  # seconds


class Collector:
    """Collects leftovers.

    :param needs: has taken note of all images
    :param pace: of collecting them one by one
    """

    def __init__(
        self,
        operator: Operator,
        stores: Mapping[str, ObjectStore],
        settings: Settings,
        needs: Needs,
        pace: Pace = UNLIMITED,
    ) -> None:
        self._operator = operator
        self._stores = stores
        self._claims = Claims(stores, settings.claim_grace)
        self._needs = needs
        self._grace = settings.claim_grace
        self._delayed_delete = settings.delayed_delete
        self._pace = pace

    def collect(self, found: Sequence[Leftover]) -> Iterator[tuple[Leftover, bool]]:
        """Collect leftovers; yield each with whether it is gone."""
        taken = {
            leftover: self._take_over(leftover)
            for leftover in found
            if leftover.kind == "claim"
        }
        if taken:
            time.sleep(_SETTLE)
        for leftover in found:
            self._pace.wait()
            try:
                is_gone = self._collected(leftover, taken.get(leftover))
            except Conflict:  # an upload or a restore is under way
                is_gone = False
            except StoreError as error:
                attempt = leftover.attempt
                LOG.error(
                    "%s was left in store %s: %s", attempt.key, attempt.store, error
                )
                is_gone = False
            yield leftover, is_gone

    def _collected(self, leftover: Leftover, claim: Claim | None) -> bool:
        """Collect a leftover; return whether it is gone.

        :param claim: the one that it is, ``None`` if an upload was faster
        :raises Conflict: if an upload to its image, or its restore, is under way
        :raises StoreError: if the store does not say
        """
        if leftover.kind == "claim":
            return claim is not None and self._dropped_with(claim, leftover)
        store = self._stores.get(leftover.attempt.store)
        if store and drivers_uploads.is_one(store, leftover.attempt.key):
            return drivers_uploads.abort(store, leftover.attempt)
        if store is None or not leftover.image_id:  # no upload would claim it
            return self._drop(leftover, [leftover.attempt])
        return self._dropped_while_claimed(leftover)

    def _dropped_with(self, claim: Claim, leftover: Leftover) -> bool:
        """Drop a claim and what it names."""
        if claim.leftovers:
            claim.keep()  # it may be long ago that it was taken over
        is_gone = self._drop(leftover, claim.leftovers)
        if is_gone:
            claim.release()
        return is_gone

    def _dropped_while_claimed(self, leftover: Leftover) -> bool:
        """Drop what no claim names."""
        claim = self._claims.take(spelled(leftover.attempt.key), leftover.attempt)
        try:
            self._claims.confirm(claim)
            return self._drop(leftover, [leftover.attempt])
        finally:
            if claim.leftovers:  # another upload died meanwhile
                claim.leave()
            else:
                claim.release()

    def _take_over(self, leftover: Leftover) -> Claim | None:
        """Make a claim ours, so that its upload notices should it be alive.

        ``None`` if an upload was faster.
        """
        store = self._stores[leftover.attempt.store]
        claim = Claim(store, leftover.image_id, leftover.attempt, self._grace)
        claim.key = leftover.attempt.key  # an older gateway may spell the id otherwise
        try:
            claim.seize()
        except Conflict:
            return None
        return claim

    def _drop(self, leftover: Leftover, attempts: Sequence[Attempt]) -> bool:
        """Drop what no image needs, whichever spelling of its id is the right one."""
        keys = [leftover.attempt.key, *(attempt.key for attempt in attempts)]
        ids = {leftover.image_id, *filter(None, map(spelled, keys))}
        images = self._shown(ids)
        if any(image.status == "saving" for image in images):
            # Somebody may be about to make it active, with what would be dropped.
            for image in images:
                if self._is_stuck(image):
                    self._operator.restore(image.id)
            images = self._shown(ids)
        if any(image.status == "saving" for image in images):
            return False
        if leftover.kind == "image":
            return True
        if not images and self._delayed_delete:
            return False
        kept = [a for a in attempts if not self._dropped(leftover, a, images)]
        return not kept

    def _shown(self, ids: Iterable[str]) -> list[Image]:
        return [image for image in map(self._operator.find, ids) if image is not None]

    def _dropped(
        self, leftover: Leftover, attempt: Attempt, images: Sequence[Image]
    ) -> bool:
        """Drop what an attempt has left but an object that an image needs.

        :param images: those of its name
        """
        named = (image for image in images if refers_to(image, attempt.key))
        needing = next(named, None) or self._needs.image_of(attempt.key)
        if needing is not None and leftover.kind == "object":
            return False  # it is none any more
        return not collect([attempt], needing, self._stores)

    def _is_stuck(self, image: Image) -> bool:
        """Whether a dead upload of ours has left an image ``saving``."""
        since = self._operator.left_saving(image.id)
        return since is not None and time.time() - since >= self._grace

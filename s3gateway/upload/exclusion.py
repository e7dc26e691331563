# SPDX-License-Identifier: Apache-2.0
"""Mutual exclusion: of several uploads to one image, one goes on.

Glance's PATCH of the locations cannot see to it: it reads the image, then writes it in
a transaction of its own, and of two that overlap both are answered 200
(``glance.api.v2.images``, ``glance.db.sqlalchemy.api._image_locations_set``).  So an
upload registers only while no other can.  Three rules make sure of that:

* Uploads through one store share one claim.  The store gives it to one of them, or
  ``Claim.confirm`` finds out whose it is.
* Uploads through different stores have a claim in each.  Each upload writes its own
  claim, and then looks for others: of any two, one sees the other at least.  It gives
  way.  The upload through the store that is configured first waits a moment for the
  other to do so.
* An upload that comes when the other is over finds the image active, and Glance
  refuses its PATCH.

What is guaranteed: two uploads never register at once, and so two are never answered
204.  One of them is, unless each has waited in vain for the other to give way.  Of
three and more, all may give way where a store does not decide between writers.

What it rests on: a store reads what was written before, as S3 does.  An upload that
has confirmed its claim registers within ``claim_grace``.  Stores can be looked into:
one that does not answer is passed over, since no store may hold up uploads to another.
Uploads through Glance alone know no claims: what protects from them is that Glance
writes the image's status on a condition, and that we look at the image afterwards.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterable
from collections.abc import Mapping

from oslo_log import log as logging

from s3gateway.errors import Conflict
from s3gateway.errors import ObjectNotFound
from s3gateway.errors import StoreError
from s3gateway.errors import StoreUnavailable
from s3gateway.store import ObjectStore
from s3gateway.streams.retries import A_MOMENT
from s3gateway.streams.retries import answered_within
from s3gateway.streams.retries import while_nothing_moved
from s3gateway.upload import claims
from s3gateway.upload.claims import Attempt
from s3gateway.upload.holding import BUSY
from s3gateway.upload.holding import PAUSES
from s3gateway.upload.holding import Claim

LOG = logging.getLogger(__name__)

_TRIES = 5
#: A claim that is older was written before ours and has no reason to give way.  The
#: clocks of stores have whole seconds.
_NEW = 3.0
#: How long a store that did not answer is not asked again, in seconds.
_SILENCE = 30.0


class Claims:
    """Hands out claims.

    :ivar grace: seconds without progress after which an upload counts as dead
    :param stores: all S3 stores, in the same order for all gateways of a Glance
    """

    def __init__(self, stores: Mapping[str, ObjectStore], grace: float) -> None:
        self.grace = grace
        self._stores = stores
        self._silent_until: dict[str, float] = {}

    def take(self, image_id: str, attempt: Attempt) -> Claim:
        """Claim an image.

        :raises Conflict: if an upload to it is running
        :raises StoreError: if the store cannot be written
        """
        claim = Claim(self._stores[attempt.store], image_id, attempt, self.grace)
        with while_nothing_moved():
            return self._taken(claim)

    def _taken(self, claim: Claim) -> Claim:
        try:
            self._make(claim)
            others = [name for name in self._stores if name != claim.attempt.store]
            self._look_elsewhere(claim, others)
        except BaseException as error:
            # The store may have it nevertheless, and would keep the next try out.
            if not claim.leftovers:
                with answered_within(A_MOMENT if _is_silent(error) else math.inf):
                    claim.release()
            elif isinstance(error, Conflict):
                claim.leave()
            raise
        return claim

    def record(self, image_id: str, attempt: Attempt) -> Claim:
        """Name what an upload may leave, where Glance itself keeps others out.

        :raises Conflict: if an upload to the image is running all the same
        :raises StoreError: if the store cannot be written
        """
        claim = Claim(self._stores[attempt.store], image_id, attempt, self.grace)
        self._make(claim)
        return claim

    def are_dead(self, image_id: str) -> bool:
        """Whether no store has a claim of an upload to the image that is running.

        :raises StoreError: if a store does not say
        """
        for store in self._stores.values():
            with contextlib.suppress(ObjectNotFound):
                found = claims.read(store, claims.PREFIX + image_id, cleaning=True)
                if not found.is_dead(self.grace):
                    return False
        return True

    def confirm(self, claim: Claim) -> None:
        """Make sure that nobody else is about to register the image.

        :raises Conflict: if somebody is
        :raises StoreError: if the store does not say
        """
        self._look_elsewhere(claim, claim.unseen)
        claim.confirm()

    def _make(self, claim: Claim) -> None:
        for _ in range(_TRIES):
            found = claim.create()
            if found is None:
                return
            if not found.is_dead(self.grace):
                break
            if claim.take_over(found):
                return
        raise Conflict(BUSY)

    def _look_elsewhere(self, claim: Claim, names: Iterable[str]) -> None:
        """Give way to an upload through another store; take over from dead ones."""
        claim.unseen = [name for name in names if not self._looked(claim, name)]

    def _looked(self, claim: Claim, name: str) -> bool:
        """Look for a claim in one of the other stores; whether the store answered."""
        if time.monotonic() < self._silent_until.get(name, 0.0):
            return False
        try:
            self._give_way(claim, self._stores[name])
        except ObjectNotFound:
            return True
        except StoreError as error:
            LOG.warning("Store %s was not asked for claims: %s", name, error)
            self._silent_until[name] = time.monotonic() + _SILENCE
            return False
        return True

    def _give_way(self, claim: Claim, store: ObjectStore) -> None:
        """Take over what is found in a store.

        :raises ObjectNotFound: if there is none
        :raises Conflict: if its upload is running
        """
        pauses = list(PAUSES if self._comes_first(claim, store) else ())
        while True:
            found = claims.read(store, claim.key, cleaning=True)
            if found.nonce in [other.nonce for other in claim.elsewhere]:
                return  # it was taken over before, and the answer was lost
            if found.is_dead(self.grace):
                other = Claim(store, claim.image_id, claim.attempt, self.grace)
                claim.elsewhere.append(other)
                if other.take_over(found):
                    return
                claim.elsewhere.remove(other)
            elif found.age >= _NEW:
                pauses.clear()
            if not pauses:
                raise Conflict(BUSY)
            time.sleep(pauses.pop(0))

    def _comes_first(self, claim: Claim, other: ObjectStore) -> bool:
        names = list(self._stores)
        return names.index(claim.attempt.store) < names.index(other.name)


def _is_silent(error: BaseException) -> bool:
    """Whether a store did not answer, which it will not do in a moment either."""
    return isinstance(error, StoreUnavailable) and error.store_wide

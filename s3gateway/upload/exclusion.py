# SPDX-License-Identifier: Apache-2.0
"""Mutual exclusion: only one of several uploads to an image may register.

Glance's PATCH of the locations does not ensure that.  It reads the image and then
writes it in a transaction; if two overlap, both get 200 (``glance.api.v2.images``,
``glance.db.sqlalchemy.api._image_locations_set``).  So an upload registers only while
no other upload can.  Three rules ensure this:

* Uploads to one store share one claim.  The store gives it to one of them, or
  ``Claim.confirm`` finds out which upload has it.
* Uploads to different stores have one claim in each store.  Each upload writes its own
  claim and then looks for others, so at least one of two sees the other, and gives way.
  The upload to the store that is configured first waits a moment for the other to give
  way.
* An upload that comes after another has ended finds the image active, and Glance
  refuses its PATCH.

Guarantee: two uploads never register at once, so two never get 204.  One of two gets
204, unless each has waited in vain for the other to give way.  Of three or more, all
may give way if the store does not decide between writers.

Assumptions: S3 reads are consistent with earlier writes.  An upload registers within
``claim_grace`` after it has confirmed its claim.  The other stores answer: the gateway
skips a store that does not, because no store may block uploads to another.  Uploads by
stock Glance use no claims.  Against them Glance's conditional write of the status
protects, and the look at the image after the PATCH.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterable
from collections.abc import Iterator
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
#: An older claim was written before ours and does not give way.  The clocks of stores
#: have whole seconds.
_NEW = 3.0
#: How long the gateway skips a store that did not answer, in seconds.
_SILENCE = 30.0


class Claims:
    """Gives out claims.

    :ivar grace: seconds without progress after which an upload counts as dead
    :param stores: all S3 stores, in the same order for all gateways of a Glance
    """

    def __init__(self, stores: Mapping[str, ObjectStore], grace: float) -> None:
        self.grace = grace
        self._stores = stores
        self._silent_until: dict[str, float] = {}

    def take(self, image_id: str, attempt: Attempt) -> Claim:
        """Claim an image.

        :raises Conflict: if another upload to it is running
        :raises StoreError: if the store cannot be written
        """
        claim = Claim(self._stores[attempt.store], image_id, attempt, self.grace)
        others = [name for name in self._stores if name != attempt.store]
        with while_nothing_moved(), _given_back(claim):
            self._make(claim)
            self._look_elsewhere(claim, others)
        return claim

    def record(self, image_id: str, attempt: Attempt) -> Claim:
        """Write a claim only to name what an upload may leave.

        Glance itself keeps other uploads out.

        :raises Conflict: if another upload to the image is running nevertheless
        :raises StoreError: if the store cannot be written
        """
        claim = Claim(self._stores[attempt.store], image_id, attempt, self.grace)
        with _given_back(claim):
            self._make(claim)
        return claim

    def are_dead(self, image_id: str) -> bool:
        """Whether no store has a claim of a running upload to the image.

        :raises StoreError: if a store does not answer
        """
        for store in self._stores.values():
            with contextlib.suppress(ObjectNotFound):
                found = claims.read(store, claims.PREFIX + image_id, cleaning=True)
                if not found.is_dead(self.grace):
                    return False
        return True

    def confirm(self, claim: Claim) -> None:
        """Check that no other upload can register the image.

        :raises Conflict: if another can
        :raises StoreError: if the store does not answer
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
        """Give way to running uploads to other stores; take over from dead ones."""
        claim.unseen = [name for name in names if not self._looked(claim, name)]

    def _looked(self, claim: Claim, name: str) -> bool:
        """Look for a claim in another store; return whether the store answered."""
        if time.monotonic() < self._silent_until.get(name, 0.0):
            return False
        try:
            self._give_way(claim, self._stores[name])
        except ObjectNotFound:
            return True
        except StoreError as error:
            LOG.warning("Store %s did not answer about claims: %s", name, error)
            self._silent_until[name] = time.monotonic() + _SILENCE
            return False
        return True

    def _give_way(self, claim: Claim, store: ObjectStore) -> None:
        """Take over a dead claim in a store, or give way to a running one.

        :raises ObjectNotFound: if there is no claim
        :raises Conflict: if its upload is running
        """
        pauses = list(PAUSES if self._comes_first(claim, store) else ())
        while True:
            found = claims.read(store, claim.key, cleaning=True)
            if found.nonce in [other.nonce for other in claim.elsewhere]:
                return  # an earlier take-over succeeded, but its answer was lost
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


@contextlib.contextmanager
def _given_back(claim: Claim) -> Iterator[None]:
    """Give a claim back if it cannot be had.

    The store may have it nevertheless, and would keep the next try out.
    """
    try:
        yield
    except BaseException as error:
        if not claim.leftovers:
            with answered_within(A_MOMENT if _is_silent(error) else math.inf):
                claim.release()
        elif isinstance(error, Conflict):
            claim.leave()
        raise


def _is_silent(error: BaseException) -> bool:
    """Whether a store did not answer: it will not do so in a moment either."""
    return isinstance(error, StoreUnavailable) and error.store_wide

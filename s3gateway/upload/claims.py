# SPDX-License-Identifier: Apache-2.0
"""Claims: who is uploading an image's data, and what a crash leaves behind.

A claim is the only thing the gateway ever records: a small object in the bucket of
the first S3 store, one for each image that is being uploaded::

    .s3gateway/6f2c5a1e-...      {"nonce": ..., "gateway": ..., "attempts": [...]}

It is made with ``If-None-Match: *``, rewritten while the upload gets on, and gone
when the upload is over.  One that was not rewritten for the grace time belongs to a
gateway that died: the next upload takes it over and collects what it names.  Where a
store ignores conditional writes two uploads may run at once; each writes under a key
of its own, and the image decides which of them counts.
"""

from __future__ import annotations

import dataclasses
import json
import secrets
import socket
import time
from collections.abc import Mapping

from oslo_log import log as logging

from s3gateway.errors import Conflict
from s3gateway.errors import ObjectExists
from s3gateway.errors import ObjectNotFound
from s3gateway.errors import StoreError
from s3gateway.errors import StoreUnavailable
from s3gateway.store import ObjectStore

LOG = logging.getLogger(__name__)

PREFIX = ".s3gateway/"

# In the words of Glance when a second upload comes while it saves the first.
_BUSY = "Image status transition from saving to saving is not allowed"


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
    """A claim as it stands in the store.

    :ivar age: seconds since its upload last got on, by the store's clock
    """

    nonce: str
    attempts: tuple[Attempt, ...]
    age: float


class Claim:
    """The right to upload an image's data.

    :ivar leftovers: attempts of gateways that died, to be collected
    """

    def __init__(
        self, store: ObjectStore, image_id: str, attempt: Attempt, beat: float
    ) -> None:
        self.image_id = image_id
        self.key = PREFIX + image_id
        self.nonce = secrets.token_hex(8)
        self.leftovers: tuple[Attempt, ...] = ()
        self._attempt = attempt
        self._store = store
        self._beat = beat
        self._written = 0.0
        self._lost = False

    def write(self, *, if_absent: bool = False) -> None:
        """Record the claim as it is now.

        :raises ObjectExists: if there is one already and it must be absent
        """
        content = {
            "nonce": self.nonce,
            "gateway": socket.gethostname(),
            "attempts": [
                dataclasses.asdict(attempt)
                for attempt in (self._attempt, *self.leftovers)
            ],
        }
        data = memoryview(json.dumps(content).encode())
        self._store.put(self.key, [data], if_absent=if_absent)
        self._written = time.monotonic()

    def began(self, upload_id: str) -> None:
        """Record the multipart upload, before its first part is sent.

        :raises Conflict: if somebody else has the claim
        """
        self._attempt = dataclasses.replace(self._attempt, upload_id=upload_id)
        self._check_undecided()
        self.write()

    def keep(self) -> None:
        """Show that the upload gets on; called often, seldom does anything.

        :raises Conflict: if somebody has taken the claim over
        """
        if time.monotonic() - self._written > self._beat:
            self._check()
            self.write()

    def confirm(self) -> None:
        """Make sure that nobody else is about to register as well.

        A claim that was made on a store which decides between writers, and kept, is
        nobody else's; any other is looked at.

        :raises Conflict: if somebody else has it
        """
        self.keep()
        self._check_undecided()

    def _check_undecided(self) -> None:
        """Look who has the claim, where the store may have given it to two."""
        if not self._store.decides_between_writers():
            self._check()

    def _check(self) -> None:
        try:
            held = read(self._store, self.key).nonce == self.nonce
        except ObjectNotFound:
            held = False
        if not held:
            self._lost = True
            raise Conflict("Another upload to the image has taken over.")

    def release(self) -> None:
        """Take the claim back, unless it is somebody else's; never raises."""
        if self._lost:
            return
        try:
            self._store.delete(self.key)
        except StoreError as error:
            LOG.warning("A claim of image %s was left: %s", self.image_id, error)

    def withdraw(self) -> None:
        """Take back what may have been written although no answer came; never raises.

        One that names what a dead upload left stays: it is all that knows of it.
        """
        if self.leftovers:
            return
        try:
            if read(self._store, self.key, cleaning=True).nonce == self.nonce:
                self._store.delete(self.key)
        except ObjectNotFound:
            pass
        except StoreError as error:
            LOG.warning("A claim of image %s was left: %s", self.image_id, error)


class Claims:
    """Hands out claims.

    :param stores: all S3 stores; claims are kept in the first one, which is the
        same for all gateways of a Glance
    :param grace: seconds without progress after which an upload counts as dead
    """

    def __init__(self, stores: Mapping[str, ObjectStore], grace: float) -> None:
        self._stores = stores
        self._grace = grace

    @property
    def _store(self) -> ObjectStore:
        return next(iter(self._stores.values()))

    def take(self, image_id: str, attempt: Attempt) -> Claim:
        """Claim an image.

        :raises Conflict: if an upload to it is running
        :raises StoreError: if the store cannot be written
        """
        claim = Claim(self._store, image_id, attempt, self._grace / 5)
        try:
            self._make(claim)
        except StoreUnavailable:
            # The store may have it nevertheless, and would keep the next try out.
            claim.withdraw()
            raise
        return claim

    def _make(self, claim: Claim) -> None:
        try:
            claim.write(if_absent=True)
        except ObjectExists:
            self._take_over(claim)

    def _take_over(self, claim: Claim) -> None:
        try:
            found = read(self._store, claim.key)
        except ObjectNotFound:  # it went this very moment
            found = Recorded("", (), self._grace)
        if found.nonce == claim.nonce:
            return  # ours after all: the first answer was lost
        if found.age < self._grace:
            raise Conflict(_BUSY)
        LOG.warning(
            "Taking over image %s: its upload made no progress for %d seconds",
            claim.image_id,
            found.age,
        )
        claim.leftovers = found.attempts
        claim.write()
        if read(self._store, claim.key).nonce != claim.nonce:
            raise Conflict(_BUSY)


def read(store: ObjectStore, key: str, *, cleaning: bool = False) -> Recorded:
    """Return a claim as it stands; one that is damaged names no attempts.

    :param cleaning: as of ``ObjectStore.note``
    :raises ObjectNotFound: if there is none
    """
    note = store.note(key, cleaning=cleaning)
    try:
        content = json.loads(note.data)
        attempts = tuple(Attempt(**attempt) for attempt in content["attempts"])
        return Recorded(str(content["nonce"]), attempts, note.age)
    except (ValueError, KeyError, TypeError):
        LOG.warning("Object %s is not a claim that can be read", key)
        return Recorded("", (), note.age)

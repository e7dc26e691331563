# SPDX-License-Identifier: Apache-2.0
"""A claim that this process holds: made, kept alive, confirmed, given back.

A store that does not decide between writers may give one claim to two uploads, and
each of them may be the last to have written it.  There an upload leaves a mark as
well before it registers (``Claim.confirm``).
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import secrets
import socket
import time
from collections.abc import Collection

from oslo_log import log as logging

from s3gateway.errors import Conflict
from s3gateway.errors import ObjectExists
from s3gateway.errors import ObjectNotFound
from s3gateway.errors import StoreError
from s3gateway.store import ObjectStore
from s3gateway.upload.claims import MARK
from s3gateway.upload.claims import PREFIX
from s3gateway.upload.claims import Attempt
from s3gateway.upload.claims import Recorded
from s3gateway.upload.claims import read

LOG = logging.getLogger(__name__)

# In the words of Glance when a second upload comes while it saves the first.
BUSY = "Image status transition from saving to saving is not allowed"

#: How an upload waits for another to give way, in seconds.
PAUSES = (0.1, 0.2, 0.4, 0.8)
#: How often a write is tried that finds the claim changed, and still ours.
_TRIES = 5


class Claim:
    """The right to upload an image's data, as far as one store can give it.

    :ivar attempt: what the upload may leave
    :ivar elsewhere: claims of dead uploads in other stores that were taken over
    :ivar unseen: stores that did not say whether there is a claim in them
    :param grace: seconds without progress after which an upload counts as dead
    """

    def __init__(
        self, store: ObjectStore, image_id: str, attempt: Attempt, grace: float
    ) -> None:
        self.image_id = image_id
        self.attempt = attempt
        self.elsewhere: list[Claim] = []
        self.unseen: Collection[str] = ()
        self.key = PREFIX + image_id
        self.nonce = secrets.token_hex(8)
        self._store = store
        self._grace = grace
        self._left: tuple[Attempt, ...] = ()
        self._etag = ""
        self._writes = 0
        self._written = -math.inf
        self._sure = False  # that no other upload has it, too
        self._marked: bool | None = False  # None if it is not known

    @property
    def leftovers(self) -> tuple[Attempt, ...]:
        """What dead uploads to the image may have left, to be collected."""
        elsewhere = (left for claim in self.elsewhere for left in claim.leftovers)
        return (*self._left, *elsewhere)

    def create(self) -> Recorded | None:
        """Write the claim where there is none; return the one that is there instead.

        :raises Conflict: if there is another one whenever it is written, and none
            whenever it is read
        """
        for _ in range(_TRIES):
            with contextlib.suppress(ObjectExists):
                self._write(if_absent=True)
                break
            with contextlib.suppress(ObjectNotFound):
                found = read(self._store, self.key)
                if self._is_mine(found):  # the answer to the first try was lost
                    break
                return found
        else:
            raise Conflict(BUSY)
        self._sure = self._store.decides_between_writers()
        return None

    def take_over(self, found: Recorded) -> bool:
        """Write the claim in place of a dead one; whether nobody else was faster."""
        if not found.is_over:
            LOG.warning(
                "Taking over image %s: its upload made no progress for %d seconds",
                self.image_id,
                found.age,
            )
        self._left = found.attempts
        try:
            self._write(if_match=found.etag)
            return self._is_mine(read(self._store, self.key))
        except (ObjectExists, ObjectNotFound):
            return False

    def seize(self) -> None:
        """Take over what a dead upload has left, which notices it should it be alive.

        Its mark may be all that is left; ``release`` takes that away as well.

        :raises Conflict: if somebody else was faster
        """
        self._marked = True
        with contextlib.suppress(ObjectNotFound):
            if not self.take_over(read(self._store, self.key)):
                raise Conflict(BUSY)

    def began(self, upload_id: str) -> None:
        """Record the multipart upload, before its first part is sent.

        :raises Conflict: if somebody else has the claim
        """
        self.attempt = dataclasses.replace(self.attempt, upload_id=upload_id)
        self._renew()

    def keep(self) -> None:
        """Show that the upload gets on; called often, seldom does anything.

        :raises Conflict: if somebody has taken the claim over
        """
        if not self._is_fresh():
            self._renew()

    def confirm(self) -> None:
        """Make sure that nobody else is about to register through this store.

        Where the claim may have been given to two, an upload writes the claim, then
        the mark if there is none, and then reads the claim: if that is its own, no
        other upload gets as far.  One that had written the claim by then would have
        been read; one that writes it later finds the mark.

        :raises Conflict: if somebody else has it
        """
        self.keep()
        if self._sure:
            return
        self._mark()
        try:
            self._look()
        except Conflict:  # whose claim it is may be waiting for the mark to go
            self._unmark()
            raise
        self._sure = True

    def release(self) -> None:
        """Take the claim back, unless it is somebody else's; never raises."""
        for claim in self.elsewhere:
            claim.release()
        try:
            if self._is_held():
                self._store.delete(self.key)
            self._unmark()  # last: as long as it is there, nobody confirms the claim
        except StoreError as error:
            LOG.warning("A claim of image %s was left: %s", self.image_id, error)

    def leave(self) -> None:
        """Keep nobody out any more, and name what is left to collect; never raises.

        The next upload takes the claim over at once.
        """
        for claim in self.elsewhere:
            claim.leave()
        try:
            self._renew(over=True)
            self._unmark()
        except Conflict:  # it is somebody else's
            return
        except StoreError as error:
            LOG.warning("A claim of image %s was left: %s", self.image_id, error)

    def _is_fresh(self) -> bool:
        return time.monotonic() - self._written < self._grace / 5

    def _is_mine(self, found: Recorded) -> bool:
        self._etag = found.etag
        return found.nonce == self.nonce

    def _is_held(self) -> bool:
        if self._sure and self._is_fresh():
            return True
        return self._nonce_at(self.key) == self.nonce

    def _renew(self, *, over: bool = False) -> None:
        """Write the claim again, unless it is somebody else's by now."""
        for _ in range(_TRIES):
            if not self._sure or not self._etag:
                self._look()
            try:
                self._write(if_match=self._etag if self._sure else "", over=over)
                return
            except (ObjectExists, ObjectNotFound):
                self._etag = ""
        self._look()  # it is ours, and its etag is not what it is read with
        self._write(over=over)

    def _look(self) -> None:
        with contextlib.suppress(ObjectNotFound):
            if self._is_mine(read(self._store, self.key)):
                return
        self._sure = False
        raise Conflict("Another upload to the image has taken over.")

    def _mark(self) -> None:
        """Write the mark; wait a moment for another upload to give way.

        :raises Conflict: if it does not
        """
        pauses = list(PAUSES)
        while not self._wrote_mark():
            if not pauses:
                raise Conflict(BUSY)
            time.sleep(pauses.pop(0))

    def _wrote_mark(self) -> bool:
        """Write the mark where there is none, or only that of a dead upload."""
        self._marked = None  # as long as there is no answer
        try:
            self._store.put(self.key + MARK, [self._content()], if_absent=True)
            self._marked = True
        except ObjectExists:
            self._marked = self._replaced_mark()
        return self._marked

    def _replaced_mark(self) -> bool:
        try:
            found = read(self._store, self.key + MARK)
        except ObjectNotFound:  # it has gone this very moment
            return False
        if found.is_dead(self._grace):
            self._store.put(self.key + MARK, [self._content()])
            return True
        return found.nonce == self.nonce  # and the first answer was lost

    def _unmark(self) -> None:
        if self._marked is None:
            self._marked = self._nonce_at(self.key + MARK) == self.nonce
        if self._marked:
            self._store.delete(self.key + MARK)
            self._marked = False

    def _nonce_at(self, key: str) -> str:
        try:
            return read(self._store, key, cleaning=True).nonce
        except ObjectNotFound:
            return ""

    def _write(
        self, *, if_absent: bool = False, if_match: str = "", over: bool = False
    ) -> None:
        began = time.monotonic()
        self._writes += 1
        data = [self._content(over)]
        self._etag = self._store.put(
            self.key, data, if_absent=if_absent, if_match=if_match
        )
        self._written = began

    def _content(self, over: bool = False) -> memoryview:
        content = {
            "nonce": self.nonce,
            "writes": self._writes,  # no two have the same etag
            "over": over,
            "gateway": socket.gethostname(),
            "attempts": [
                dataclasses.asdict(attempt) for attempt in (self.attempt, *self._left)
            ],
        }
        return memoryview(json.dumps(content).encode())

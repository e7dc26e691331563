# SPDX-License-Identifier: Apache-2.0
"""A claim of this process: creates, renews, confirms and releases it.

A store that does not decide between writers may give one claim to two uploads, and
either may be the last writer.  With such a store an upload also writes a mark before it
registers (``Claim.confirm``).
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

# Glance's text for a second upload while it saves the first.
BUSY = "Image status transition from saving to saving is not allowed"

#: Pauses of an upload that waits for another to give way, in seconds.
PAUSES = (0.1, 0.2, 0.4, 0.8)
#: Tries of a write that finds the claim changed but still ours.
_TRIES = 5


class Claim:
    """The right to upload an image's data to one store.

    :ivar attempt: what the upload may leave
    :ivar elsewhere: claims of dead uploads in other stores, taken over
    :ivar unseen: stores that did not answer whether they have a claim
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
        self._sure = False  # that no other upload has the claim too
        self._marked: bool | None = False  # None while unknown

    @property
    def leftovers(self) -> tuple[Attempt, ...]:
        """What dead uploads to the image may have left."""
        elsewhere = (left for claim in self.elsewhere for left in claim.leftovers)
        return (*self._left, *elsewhere)

    def create(self) -> Recorded | None:
        """Create the claim; if there is one already, return that one.

        :raises Conflict: if each write finds another claim, and each read finds none
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
        """Replace a dead claim; return whether no other upload was faster."""
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
        """Take over the claim of a dead upload.  If the upload lives, it notices.

        Only its mark may be left; ``release`` deletes that too.

        :raises Conflict: if another upload was faster
        """
        self._marked = True
        with contextlib.suppress(ObjectNotFound):
            if not self.take_over(read(self._store, self.key)):
                raise Conflict(BUSY)

    def began(self, upload_id: str) -> None:
        """Record the multipart upload, before its first part is sent.

        :raises Conflict: if another upload has the claim
        """
        self.attempt = dataclasses.replace(self.attempt, upload_id=upload_id)
        self._renew()

    def keep(self) -> None:
        """Renew the claim from time to time; call it at every progress.

        :raises Conflict: if another upload has taken the claim over
        """
        if not self._is_fresh():
            self._renew()

    def confirm(self) -> None:
        """Check that no other upload to this store can register.

        If the store may have given the claim to two uploads, each writes the claim,
        then the mark if there is none, and then reads the claim.  An upload that reads
        its own claim is the only one that gets so far: another that wrote the claim
        earlier would have been read, and one that writes it later finds the mark.

        :raises Conflict: if another upload has the claim
        """
        self.keep()
        if self._sure:
            return
        self._mark()
        try:
            self._look()
        except Conflict:  # the claim's upload may be waiting for the mark to go
            self._unmark()
            raise
        self._sure = True

    def release(self) -> None:
        """Delete the claim, unless another upload has it; never raises."""
        for claim in self.elsewhere:
            claim.release()
        try:
            if self._is_held():
                self._store.delete(self.key)
            self._unmark()  # last: while it exists, no upload confirms the claim
        except StoreError as error:
            LOG.warning("A claim of image %s was left: %s", self.image_id, error)

    def leave(self) -> None:
        """Mark the upload as over, and name what is left to collect; never raises.

        The next upload takes the claim over at once.
        """
        for claim in self.elsewhere:
            claim.leave()
        try:
            self._renew(over=True)
            self._unmark()
        except Conflict:  # another upload has it
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
        """Write the claim again, unless another upload has it by now."""
        for _ in range(_TRIES):
            if not self._sure or not self._etag:
                self._look()
            try:
                self._write(if_match=self._etag if self._sure else "", over=over)
                return
            except (ObjectExists, ObjectNotFound):
                self._etag = ""
        self._look()  # it is ours, but the store shows another etag than it expects
        self._write(over=over)

    def _look(self) -> None:
        with contextlib.suppress(ObjectNotFound):
            if self._is_mine(read(self._store, self.key)):
                return
        self._sure = False
        raise Conflict("Another upload to the image has taken over.")

    def _mark(self) -> None:
        """Write the mark; wait a moment for another upload to give way.

        :raises Conflict: if it does not give way
        """
        pauses = list(PAUSES)
        while not self._wrote_mark():
            if not pauses:
                raise Conflict(BUSY)
            time.sleep(pauses.pop(0))

    def _wrote_mark(self) -> bool:
        """Write the mark, unless a running upload has one."""
        self._marked = None  # until there is an answer
        try:
            self._store.put(self.key + MARK, [self._content()], if_absent=True)
            self._marked = True
        except ObjectExists:
            self._marked = self._replaced_mark()
        return self._marked

    def _replaced_mark(self) -> bool:
        try:
            found = read(self._store, self.key + MARK)
        except ObjectNotFound:  # it was deleted at this moment
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

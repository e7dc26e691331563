# SPDX-License-Identifier: Apache-2.0
"""Bringing an image's data into another store, while Glance goes on serving it.

A copy is made under a key of its own and claimed as an upload is, so that two never
run at once and ``gc`` knows what a crash has left.  It is read back and compared with
the digest that Glance shows before the image refers to it, and a store is left only
when the image does.  What results is what stock Glance reads and deletes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from collections.abc import Iterator

from s3gateway import uris
from s3gateway.config.stores import MIB
from s3gateway.download.failover import Copy
from s3gateway.errors import Conflict
from s3gateway.errors import DigestMismatch
from s3gateway.errors import GatewayError
from s3gateway.errors import GlanceError
from s3gateway.errors import NotKnown
from s3gateway.errors import StoreError
from s3gateway.glance.api import Image
from s3gateway.glance.api import Refused
from s3gateway.manage import copies
from s3gateway.manage.context import Context
from s3gateway.manage.registering import add_location
from s3gateway.manage.registering import remove_store
from s3gateway.manage.server_copy import duplicate
from s3gateway.upload import stream
from s3gateway.upload.claims import Attempt
from s3gateway.upload.exclusion import Claims
from s3gateway.upload.holding import Claim
from s3gateway.upload.leftovers import collect

Moved = Callable[[int], None]


#: So many bytes are moved at most before a claim is kept again: that may be slow.
_STEP = 8 * MIB


class Unfit(GatewayError):
    """An image that cannot be copied, and why.

    :ivar code: why, as results name it
    """

    code = "unfit"


class NotActive(Unfit):
    """An image whose locations Glance does not show."""

    code = "not_active"


class NoData(Unfit):
    """An image of which there is nothing to copy."""

    code = "no_data"


class NoDigest(Unfit):
    """An image with whose digest no copy could be compared."""

    code = "no_digest"


class Importing(Unfit):
    """An image that Glance imports into, and so changes the locations of."""

    code = "importing"


@dataclasses.dataclass(frozen=True)
class Done:
    """How an image was brought into a store.

    :ivar code: ``copied``, ``copied_in_s3`` or ``present``
    :ivar how: the same in a few words
    """

    code: str
    how: str


class Copier:
    """Copies images into one store.

    :param to: the store's identifier
    """

    def __init__(self, context: Context, to: str) -> None:
        self._glance = context.glance
        self._stores = context.stores
        self._store = context.stores[to]
        self._transfer = context.settings.transfer
        self._grace = context.settings.claim_grace
        self._claims = Claims(context.stores, self._grace)
        self._memory = stream.Memory.of(self._transfer)
        self._with_credentials = self._glance.traits.credentials_in_uris

    def copy(self, image_id: str, moved: Moved) -> Done:
        """Have an image refer to a verified copy in the store.

        :param moved: called with the number of bytes copied and read back
        :raises Refused: if there is no such image
        :raises Unfit: if it cannot be copied
        :raises GatewayError: if it was not; nothing of it is left
        """
        image = self._glance.show(image_id)
        check(image)
        found = self._copy_in(image, self._store.name)
        if found is not None:
            self._verify(image, found, moved)
            moved(image.size or 0)
            return Done("present", "was there already, verified")
        key = uris.new_key(image_id)
        claim = self._claim(image_id, key)
        try:
            done = self._make(image_id, key, claim, moved)
        except NotKnown:
            raise  # the image may refer to the copy soon: gc will look
        except BaseException:
            self._end(claim)
            raise
        self._end(claim)
        return done

    def leave(self, image_id: str, source: str) -> None:
        """Have Glance delete what an image has in a store, once it is elsewhere.

        :raises Unfit: if Glance imports into it
        :raises GatewayError: if it did not
        """
        image = self._glance.show(image_id)
        if self._copy_in(image, self._store.name) is None:
            raise Conflict("it has lost its copy meanwhile; nothing was deleted")
        check(image)
        remove_store(self._glance, image, source)

    def _make(self, image_id: str, key: str, claim: Claim, moved: Moved) -> Done:
        """Make the copy, verify it, and add it to the image's locations."""
        image = self._glance.show(image_id)  # as it is since nobody else copies it
        check(image)
        alive = self._alive(claim, moved)
        done = self._bring(image, key, claim, alive)
        copy = Copy(self._store, self._store.settings.bucket, key)
        self._verify(image, copy, alive)
        self._claims.confirm(claim)
        check(self._glance.show(image_id))  # it was a while ago
        add_location(self._glance, image, copy, self._with_credentials)
        return done

    def _end(self, claim: Claim) -> None:
        """Collect what the image does not refer to, and take the claim back.

        Whatever happened, what counts is what the image says.
        """
        try:
            image = self._glance.find(claim.image_id)
        except (Refused, GlanceError):
            return  # gc will look
        if not collect((claim.attempt, *claim.leftovers), image, self._stores):
            claim.release()

    def _copy_in(self, image: Image, store: str) -> Copy | None:
        found = [copies.copy_at(place, self._stores) for place in image.locations]
        return next((c for c in found if c and c.store.name == store), None)

    def _claim(self, image_id: str, key: str) -> Claim:
        try:
            return self._claims.take(image_id, Attempt(self._store.name, key))
        except Conflict:
            raise Conflict(
                "somebody else copies it, or has died less than "
                f"{self._grace:.0f} s ago; run this again later"
            ) from None

    def _bring(self, image: Image, key: str, claim: Claim, moved: Moved) -> Done:
        """Store the image under a key; return how."""
        near = self._near(image)
        if near is None:
            self._stream(image, key, claim, moved)
            return Done("copied", "copied")
        try:
            duplicate(
                self._store,
                (near.bucket, near.key),
                key,
                size=image.size or 0,
                about=_about(image),
                began=claim.began,
                moved=moved,
            )
        except StoreError as error:  # it may not read there, or not copy at all
            self._stream(image, key, claim, moved)
            return Done("copied", f"copied, but not inside of S3: {error}")
        return Done("copied_in_s3", "copied inside of S3")

    def _near(self, image: Image) -> Copy | None:
        """Return a copy on the same server as the store."""
        for location in image.locations:
            copy = copies.copy_at(location, self._stores)
            if copy and copy.store.settings.endpoint == self._store.settings.endpoint:
                return copy
        return None

    def _stream(self, image: Image, key: str, claim: Claim, moved: Moved) -> None:
        size = image.size or 0
        algorithm, expected = copies.digest_of(image)
        source = copies.Pieces(self._pieces(image), size, moved)
        with stream.into(
            self._store,
            key,
            self._memory,
            length=size,
            algorithms=[algorithm],
            began=claim.began,
            about=_about(image),
        ) as outgoing:
            for _ in outgoing.send(source):
                pass
            if outgoing.hexdigests()[algorithm] != expected:
                raise DigestMismatch("source data does not match the image's digest")
            outgoing.commit()

    def _pieces(self, image: Image) -> Iterator[bytes]:
        """Return the image's bytes, from S3 without Glance if it is there."""
        found = [copies.copy_at(place, self._stores) for place in image.locations]
        ours = [copy for copy in found if copy is not None]
        if not ours:
            return copies.of_glance(self._glance, image)
        return copies.of_copies(image, ours, self._transfer.retry_time)

    def _verify(self, image: Image, copy: Copy, moved: Moved) -> None:
        retry_time = self._transfer.retry_time
        same = copies.has_digest(image, copy, retry_time=retry_time, moved=moved)
        if not same:
            raise DigestMismatch("the copy was read back and has another digest")

    def _alive(self, claim: Claim, moved: Moved) -> Moved:
        def count(more: int) -> None:
            for at in range(0, more, _STEP):
                claim.keep()
                moved(min(_STEP, more - at))

        return count


def check(image: Image) -> None:
    """Make sure that an image can be copied.

    :raises Unfit: if not
    """
    if image.status != "active":
        raise NotActive(
            f"it is {image.status}; only active images show their locations"
        )
    if not image.size:
        raise NoData("it has no data")
    if not copies.digest_of(image)[1]:
        raise NoDigest("Glance knows no digest of it, so a copy could not be verified")
    if _is_imported_into(image):
        raise Importing("Glance imports into it; run this again when that has ended")


def _is_imported_into(image: Image) -> bool:
    """Whether Glance copies it, which writes locations of its own meanwhile.

    A PATCH has Glance write all that it has read a moment before, and so can drop them.
    Source: glance.async_.flows.parallel_api_image_import
    """
    pending = any(place.url.startswith("pending://") for place in image.locations)
    return pending or bool(image.properties.get("os_glance_import_task"))


def _about(image: Image) -> dict[str, str]:
    """Return what S3 is told of a copy: as much as of an upload, but sooner."""
    algorithm, digest = copies.digest_of(image)
    return {"image-id": image.id, algorithm: digest}

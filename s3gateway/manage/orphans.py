# SPDX-License-Identifier: Apache-2.0
"""Objects in S3 whose images Glance does not know, and images made of them again.

The object stays where it is.  It is read once for its digests and its format, and then
registered as an upload's is, so what results is what stock Glance reads and deletes.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence

from s3gateway import uris
from s3gateway.download.failover import Copy
from s3gateway.errors import Conflict
from s3gateway.errors import ImageGone
from s3gateway.errors import NotRegistered
from s3gateway.errors import ObjectNotFound
from s3gateway.errors import StoreError
from s3gateway.glance.api import Image
from s3gateway.glance.api import Refused
from s3gateway.glance.api import image_from
from s3gateway.glance.registration import Registrar
from s3gateway.glance.registration import Stored
from s3gateway.manage import copies
from s3gateway.manage.codes import code_of
from s3gateway.manage.context import Context
from s3gateway.manage.needs import Needs
from s3gateway.manage.remains import spelled
from s3gateway.s3.store import S3Store
from s3gateway.streams.digests import Digests
from s3gateway.upload import claims
from s3gateway.upload.claims import Attempt
from s3gateway.upload.exclusion import Claims
from s3gateway.upload.expected import MD5
from s3gateway.upload.holding import Claim
from s3gateway.upload.inspection import Inspection
from s3gateway.upload.leftovers import give_back
from s3gateway.upload.leftovers import hides_its_data
from s3gateway.upload.leftovers import keys_of
from s3gateway.upload.leftovers import refers_to

_MOST_WAITING = 16 * 1024**2  # bytes

#: Why an object is left alone: the code, and the reason in words.
Objection = tuple[str, str]
NONE: Objection = ("", "")

Moved = Callable[[int], None]


@dataclasses.dataclass(frozen=True)
class Orphan:
    """An object, and what is known of its image.

    :ivar image: the one of this id that waits for data, ``None`` if there is none
    :ivar objection: why it is no orphan
    :ivar unreadable: whether that is because the store does not show the object
    """

    key: str
    size: int = 0
    image: Image | None = None
    objection: Objection = NONE
    unreadable: bool = False

    @property
    def image_id(self) -> str:
        """The id that the key begins with."""
        return spelled(self.key)


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What images that are made are to be.

    :ivar disk_format: empty for that of the data
    :ivar deleted: whether images that were deleted are made again, with other ids
    """

    name: str
    project: str
    disk_format: str
    container_format: str
    deleted: bool


class Orphans:
    """The objects of a store that no image refers to."""

    def __init__(self, context: Context, store: S3Store) -> None:
        self._glance = context.glance
        self._stores = context.stores
        self._store = store
        self._settings = context.settings
        self._claims = Claims(context.stores, context.settings.claim_grace)
        self._registrar = Registrar(
            self._glance.glance,
            multi_store=context.settings.multi_store,
            with_credentials=self._glance.traits.credentials_in_uris,
            identity=lambda environ: environ,
            certain=self._glance.traits.certain,
        )
        self._needs = Needs(self._glance)
        self._needed: set[str] = set()
        self._images: dict[str, Image] = {}

    def find(self, keys: Sequence[str], *, deleted: bool) -> Iterator[Orphan]:
        """Look at all images, and then at the objects of some keys.

        :param deleted: whether objects of images that were deleted are orphans
        :raises StoreError: if the store does not answer
        """
        for image in self._glance.images():
            self._needs.note(image)
            self._needed |= keys_of(image)
            self._images[image.id.lower()] = image
        alike = collections.Counter(spelled(key).lower() for key in keys)
        for key in keys:
            orphan = self._look(key)
            if not orphan.objection[0] and alike[orphan.image_id.lower()] > 1:
                why = "several of these objects are of one image; name the right one"
                orphan = dataclasses.replace(orphan, objection=("ambiguous", why))
            elif not orphan.objection[0]:
                objection = self._deleted(orphan, wanted=deleted)
                orphan = dataclasses.replace(orphan, objection=objection)
            yield orphan

    def restore(self, orphan: Orphan, wanted: Wanted, moved: Moved) -> str:
        """Make an image of an object; return the image's id.

        A claim keeps uploads to the image out, and ``gc`` from the object.

        :param moved: called with the number of bytes whenever some were read
        :raises ContentRefused: if Glance would refuse the content
        :raises Conflict: if an upload to the image is under way, or an image refers to
            the object by now
        :raises Refused: if Glance creates or registers no such image
        :raises GatewayError: if it was not registered, or that is not known
        """
        image_id = orphan.image.id if orphan.image else orphan.image_id
        nothing = Attempt(self._store.name, uris.new_key(image_id))
        claim = self._claims.take(image_id, nothing)
        try:
            self._need_none(orphan)
            image = self._restored(orphan, wanted, claim, moved)
        except BaseException:
            if claim.leftovers:  # the object may be one of them
                claim.leave()
            else:
                claim.release()
            raise
        give_back(claim, lambda: image, self._stores)
        return image.id

    def _need_none(self, orphan: Orphan) -> None:
        """Make sure that no image refers to an object by now.

        :raises Conflict: if one does, or may do so
        """
        image = self._glance.find(orphan.image_id)
        named = image is not None and refers_to(image, orphan.key)
        if named or self._needs.image_of(orphan.key):
            raise Conflict("An image refers to the object by now.")

    def _restored(
        self, orphan: Orphan, wanted: Wanted, claim: Claim, moved: Moved
    ) -> Image:
        waiting = orphan.image.properties if orphan.image else {}
        container_format = waiting.get("container_format") or wanted.container_format
        inspection = Inspection(
            waiting.get("disk_format") or wanted.disk_format,
            container_format,
            require_match=self._settings.require_image_format_match,
            nonfatal=self._settings.gpt_safety_checks_nonfatal,
            traits=self._glance.traits,
        )

        def alive(count: int) -> None:
            claim.keep()
            moved(count)

        stored = self._read(orphan, inspection, alive)
        formats = {
            "disk_format": inspection.disk_format,
            "container_format": container_format,
        }
        self._claims.confirm(claim)
        image = orphan.image or self._create(orphan, wanted, formats)
        image = dataclasses.replace(image, properties={**image.properties, **formats})
        try:
            return self._registrar.register(self._glance.environ(), image, stored)
        except (Refused, NotRegistered, Conflict, ImageGone):
            if orphan.image is None:  # it has no data: the object is not touched
                self._glance.ask("DELETE", f"/v2/images/{image.id}").close()
            raise

    def _look(self, key: str) -> Orphan:
        if not uris.is_image_key(key):
            why = "the key is not that of an image: <image id>.<16 digits>"
            return Orphan(key, objection=("not_an_image", why))
        try:
            found = self._store.stat(key)
        except ObjectNotFound:
            return Orphan(key, objection=("missing", "there is no such object"))
        except StoreError as error:
            if error.store_wide:
                raise
            return Orphan(key, objection=(code_of(error), str(error)), unreadable=True)
        image = self._images.get(spelled(key).lower())
        objection = self._objection(key, found.glance_id, image)
        if not (objection[0] or found.size):
            objection = "empty", "it has no bytes; Glance takes no location of it"
        return Orphan(key, found.size, image, objection)

    def _objection(self, key: str, whose: str, image: Image | None) -> Objection:
        if key in self._needed:
            return "needed", "an image refers to it"
        if whose not in ("", self._store.settings.writing.glance_id):
            return "foreign", "it names another Glance"
        if self._is_being_uploaded(spelled(key)):
            return "busy", "an upload to its image is under way"
        if image is None or image.status == "queued":
            return NONE
        if hides_its_data(image):
            return "not_shown", f"its image is {image.status} and may need it"
        return "other_data", f"its image is {image.status}, and has other data or none"

    def _is_being_uploaded(self, image_id: str) -> bool:
        for store in claims.places(self._stores, self._store.name).values():
            with contextlib.suppress(ObjectNotFound):
                claim = claims.read(store, claims.PREFIX + image_id.lower())
                return not claim.is_dead(self._settings.claim_grace)
        return False

    def _deleted(self, orphan: Orphan, *, wanted: bool) -> Objection:
        if orphan.image or not self._glance.remembers(orphan.image_id):
            return NONE
        if self._settings.delayed_delete:
            why = "glance-scrubber may delete it; its --restore gives the image back"
            return "scrubbed", why
        if not wanted:
            return "deleted", "its image was deleted; --deleted makes another of it"
        return NONE

    def _read(self, orphan: Orphan, inspection: Inspection, moved: Moved) -> Stored:
        """Read an object; return what is to be registered."""
        algorithm = self._settings.hashing_algorithm
        shown = {"id": orphan.image_id, "status": "queued", "size": orphan.size}
        copy = Copy(self._store, self._store.settings.bucket, orphan.key)
        retry_time, fed = self._settings.transfer.retry_time, 0
        with Digests([MD5, algorithm]) as digests:
            for data in copies.of_copies(image_from(shown), [copy], retry_time):
                digests.feed(memoryview(data))
                inspection.feed(memoryview(data))
                fed += len(data)
                digests.wait(fed - _MOST_WAITING)
                moved(len(data))
            found = digests.hexdigests()
        return Stored(
            store=self._store.settings,
            key=orphan.key,
            size=fed,
            checksum=found[MD5],
            os_hash_algo=algorithm,
            os_hash_value=found[algorithm],
            virtual_size=inspection.finish(),
        )

    def _create(
        self, orphan: Orphan, wanted: Wanted, formats: Mapping[str, str]
    ) -> Image:
        fields = {
            "id": orphan.image_id,
            "name": wanted.name or f"restored {orphan.image_id}",
            "owner": wanted.project,
            "visibility": "private",
            **formats,
        }
        glance, environ = self._glance.glance, self._glance.environ()
        try:
            return glance.create(environ, fields)
        except Refused as refused:
            may_have_another_id = wanted.deleted and not self._settings.delayed_delete
            if refused.answer.code != 409 or not may_have_another_id:
                raise
        del fields["id"]  # the database keeps it for the image that was deleted
        return glance.create(environ, fields)

# SPDX-License-Identifier: Apache-2.0
"""PATCH of ``/locations``: registers stored data, then checks what the image shows.

The PATCH sets the location, size, digests and the status ``active``
(``glance.api.v2.images``: ``_do_replace_locations``).  Its answer may get lost, so only
what the image shows afterwards decides.

The PATCH is not atomic.  Glance reads the image and then writes it in a transaction.
If two overlap, both get 200, the later one wins, and on MariaDB the location of the
other may remain.  The caller must hold a claim, so that no other upload registers
(``upload.exclusion``).
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any

from oslo_log import log as logging

from s3gateway.config.stores import StoreSettings
from s3gateway.errors import Conflict
from s3gateway.errors import GatewayError
from s3gateway.errors import GlanceError
from s3gateway.errors import ImageGone
from s3gateway.errors import NotRegistered
from s3gateway.errors import Overwritten
from s3gateway.glance.api import Glance
from s3gateway.glance.api import Image
from s3gateway.glance.api import Refused
from s3gateway.glance.identity import Identity
from s3gateway.glance.image import VIRTUAL_SIZE
from s3gateway.glance.image import is_at
from s3gateway.glance.image import location_uri
from s3gateway.glance.turns import Turns
from s3gateway.http import wsgi
from s3gateway.uris import StoredURI

LOG = logging.getLogger(__name__)

_FORMATS = ("disk_format", "container_format")
_MD5_SIZE = 16  # bytes

#: Answers of a proxy that did not wait for Glance; Glance may still be working.
NOT_GLANCES = (502, 504)

# Refusals that are the caller's fault.  Any other is Glance's fault or the gateway's.
_CALLERS_FAULT = (401, 403, 409, 410, 413)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stored:
    """Stored and verified data that no image refers to yet.

    :ivar size: in bytes
    :ivar checksum: md5 in hexadecimal
    :ivar virtual_size: in bytes, 0 if unknown
    """

    store: StoreSettings
    key: str
    size: int
    checksum: str
    os_hash_algo: str
    os_hash_value: str
    virtual_size: int


class Registrar:
    """Registers data under the location URI that Glance's own driver writes.

    :param multi_store: whether Glance runs with ``enabled_backends``
    :param identity: gives a request the identity that registers
    :param with_credentials: whether this Glance's location URIs hold the S3 keys, as
        before glance_store 5.6.  If not, none is ever sent: Glance 33 takes a URI with
        keys as well, and logs it
    :param certain: whether that is known.  If not, a registration that is refused is
        repeated, in the other form if URIs may hold keys; what works is kept
    """

    def __init__(
        self,
        glance: Glance,
        *,
        multi_store: bool,
        with_credentials: bool,
        identity: Identity,
        certain: bool = False,
    ) -> None:
        self._glance = glance
        self._identity = identity
        self._multi_store = multi_store
        self._with_credentials = with_credentials
        self._certain = certain
        self._may_hold_keys = with_credentials
        self._turns = Turns()

    def rehearse(
        self, environ: wsgi.Environ, image: Image, hash_algorithm: str
    ) -> wsgi.Answer:
        """Test whether the caller may register; it changes nothing.

        It adds a location with a scheme that no store knows.  Glance checks the scheme
        last, so 400 means that all other checks passed.  403 and 404 come from the
        policy, 409 from another hashing algorithm, 413 from a quota.
        """
        value = {
            "url": f"s3gateway-rehearsal://{image.id}",
            "metadata": {},
            "validation_data": {
                "checksum": "00" * _MD5_SIZE,
                "os_hash_algo": hash_algorithm,
                "os_hash_value": "00" * _digest_size(hash_algorithm),
            },
        }
        change = {"op": "add", "path": "/locations/-", "value": value}
        return self._glance.patch(self._identity(environ), image.id, [change])

    def register(self, environ: wsgi.Environ, image: Image, stored: Stored) -> Image:
        """Make the image active with this data; return it as Glance shows it.

        The PATCH sets the formats too: the data was checked against them, and the owner
        may change them until the image is active.

        After the first four errors the image does not have the data.

        :param image: as it was when its data was checked
        :raises Refused: if Glance refused, with an answer for the caller
        :raises NotRegistered: if Glance did not register it for another reason
        :raises Conflict: if the image has other data by now
        :raises ImageGone: if the image does not exist any more
        :raises Overwritten: if the image has the data but is not active
        :raises GlanceError: if Glance does not show whether the image has it
        """
        try:
            environ = self._identity(environ)
        except GatewayError as error:  # nothing was registered yet
            raise NotRegistered(str(error)) from error
        answer = self._replace(environ, image, stored, self._with_credentials)
        if answer is not None and answer.code == 401:
            raise Refused(answer)  # from auth_token, before Glance itself
        doubtful = answer is None or answer.code in (400, 500)
        if doubtful and not self._certain:
            self._repeat(environ, image, stored)
        return self._compare(environ, image, stored, answer)

    def _repeat(self, environ: wsgi.Environ, image: Image, stored: Stored) -> None:
        """Register once more, in the other form if URIs may hold keys at all."""
        form = self._may_hold_keys and not self._with_credentials
        answer = self._replace(environ, image, stored, form)
        if answer is not None and answer.code == 200:
            self._with_credentials = form
        elif not self._may_hold_keys:
            LOG.warning(
                "Image %s: Glance did not take its location, which holds no keys. If "
                "Glance is older than 33, set [s3gateway] glance_release",
                image.id,
            )

    def _replace(
        self,
        environ: wsgi.Environ,
        image: Image,
        stored: Stored,
        with_credentials: bool,
    ) -> wsgi.Answer | None:
        """Send the PATCH; return ``None`` if there was no answer."""
        uri = location_uri(stored.store, stored.key, with_credentials)
        value = location_document(uri, self._metadata(stored), stored)
        changes = [
            *(
                {"op": "replace", "path": f"/{name}", "value": image.properties[name]}
                for name in _FORMATS
            ),
            {"op": "replace", "path": "/locations", "value": [value]},
        ]
        try:
            with self._turns.one():
                return self._glance.patch(environ, image.id, changes)
        except GlanceError:  # a look at the image shows what happened
            return None

    def _metadata(self, stored: Stored) -> dict[str, str]:
        metadata = {"store": stored.store.name} if self._multi_store else {}
        if stored.virtual_size:
            metadata[VIRTUAL_SIZE] = str(stored.virtual_size)
        return metadata

    def _compare(
        self,
        environ: wsgi.Environ,
        before: Image,
        stored: Stored,
        answer: wsgi.Answer | None,
    ) -> Image:
        image_id = before.id
        try:
            image = self._glance.find(environ, image_id)
        except Refused as refused:
            raise GlanceError(
                f"Image {image_id}: cannot confirm the registration (Glance answered "
                f"{refused.answer.status}). The data was kept; look at the image "
                "before you try again"
            ) from None
        if image is None:
            raise ImageGone(
                f"Image {image_id} could not be found after upload. The image "
                "may have been deleted during the upload."
            )
        if image.status == "queued" and not image.locations:
            raise _why_not(image_id, answer)
        if image.status == "queued" and _may_refer(image, stored):
            # A concurrent change wrote back the old status, but not the locations.
            raise Overwritten(
                f"Image {image_id} was changed while its data was registered, and did "
                "not become active. Delete it, and upload to a new image."
            )
        if _is_ours(image, stored) and _formats(image) == _formats(before):
            return image
        if _may_refer(image, stored):
            raise GlanceError(
                f"Image {image_id} has other data, but may refer to this data as well"
            )
        raise Conflict(f"Image {image_id} got its data from another upload or import.")


def location_document(
    uri: StoredURI, metadata: Mapping[str, str], data: Stored | Image
) -> dict[str, Any]:
    """Return a location in the form of a PATCH.

    Glance compares the digests with its own, and refuses different ones.
    """
    value: dict[str, Any] = {"url": str(uri), "metadata": metadata}
    if data.os_hash_value:
        value["validation_data"] = {
            "checksum": data.checksum,
            "os_hash_algo": data.os_hash_algo,
            "os_hash_value": data.os_hash_value,
        }
    return value


def _why_not(image_id: str, answer: wsgi.Answer | None) -> Exception:
    """Return the error if the image has no data after this answer."""
    if answer is None:
        return NotRegistered(f"Glance did not register image {image_id}: no answer")
    if answer.code in NOT_GLANCES:
        return GlanceError(
            f"Image {image_id}: cannot confirm the registration yet (Glance answered "
            f"{answer.status}). The data was kept; look at the image before you try "
            "again"
        )
    if answer.code in _CALLERS_FAULT:
        return Refused(answer)
    return NotRegistered(f"Glance did not register image {image_id}: {answer.status}")


def _formats(image: Image) -> list[Any]:
    return [image.properties.get(name) for name in _FORMATS]


def _is_ours(image: Image, stored: Stored) -> bool:
    """Whether an image has the data that was registered."""
    return (
        _may_refer(image, stored)
        and image.size == stored.size
        and image.checksum == stored.checksum
        and image.os_hash_value == stored.os_hash_value
    )


def _may_refer(image: Image, stored: Stored) -> bool:
    """Whether an image shows the location of the data, or hides its locations.

    Glance hides the locations of deactivated images, and those that its policy does not
    let the caller see.
    """
    if not image.locations:
        return image.status in ("active", "deactivated")
    return any(is_at(place, stored.store, stored.key) for place in image.locations)


def _digest_size(algorithm: str) -> int:
    return hashlib.new(algorithm, usedforsecurity=False).digest_size

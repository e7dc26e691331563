# SPDX-License-Identifier: Apache-2.0
"""Telling Glance where an image's data is, and believing what the image says.

A PATCH of ``/locations`` registers data that is already in its store and sets
size, digests and the status ``active`` (``glance.api.v2.images``:
``_do_replace_locations``).  Its answer decides nothing, because it may get lost; what
the image shows afterwards does.

It is not atomic.  Glance reads the image, then writes it in a transaction of its own:
of two that overlap both are answered 200, the last one stays, and on MariaDB the
other's location may stay beside it.  Who registers has seen to it that nobody else
does (``upload.exclusion``).
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import threading
from collections.abc import Callable
from collections.abc import Iterator
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
from s3gateway.glance.image import VIRTUAL_SIZE
from s3gateway.glance.image import is_at
from s3gateway.glance.image import location_uri
from s3gateway.http import wsgi
from s3gateway.uris import StoredURI

LOG = logging.getLogger(__name__)

Identity = Callable[[wsgi.Environ], wsgi.Environ]

_FORMATS = ("disk_format", "container_format")
_MD5_SIZE = 16  # bytes

_AT_ONCE = 2  # registrations of a process: one waits for S3, one does not
_PATIENCE = 60.0  # seconds

#: Answers of a proxy that has not waited for Glance, which may still be at it.
NOT_GLANCES = (502, 504)

# A registration may be refused with these because of the caller's request; with
# anything else it is Glance's fault or our own.
_CALLERS_FAULT = (401, 403, 409, 410, 413)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stored:
    """An image's data, stored and verified, that no image refers to yet.

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
    :param identity: turns a request into one of whoever registers
    :param with_credentials: whether this Glance's location URIs hold them, as
        those of glance_store before 5.6 do; found out by trying if wrong
    """

    def __init__(
        self,
        glance: Glance,
        *,
        multi_store: bool,
        with_credentials: bool,
        identity: Identity,
    ) -> None:
        self._glance = glance
        self._identity = identity
        self._multi_store = multi_store
        self._with_credentials = with_credentials
        self._turns = threading.Semaphore(_AT_ONCE)

    def rehearse(
        self, environ: wsgi.Environ, image: Image, hash_algorithm: str
    ) -> wsgi.Answer:
        """Ask whether the caller may register; changes nothing.

        The location has a scheme that no store knows, which Glance looks at
        last: 400 means that everything before it was right.  403 and 404 are
        policy, 409 is another hashing algorithm, 413 a quota.
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

        Its formats are registered as well: the data was judged by them, and who owns
        the image may change them as long as Glance takes it to be waiting for data.

        Only the first four say that it is not.

        :raises Refused: if Glance did not, with an answer for the caller
        :raises NotRegistered: if it did not for another reason
        :raises Conflict: if the image has other data by now
        :raises ImageGone: if there is no image any more
        :raises Overwritten: if it has the data, and is not active all the same
        :raises GlanceError: if nobody knows, because Glance does not say

        :param image: as it was when its data was judged
        """
        try:
            environ = self._identity(environ)
        except GatewayError as error:  # before anything was registered
            raise NotRegistered(str(error)) from error
        answer = self._replace(environ, image, stored, self._with_credentials)
        if answer is not None and answer.code == 401:
            raise Refused(answer)  # by auth_token: Glance itself has not seen it
        if answer is None or answer.code in (400, 500):
            other = not self._with_credentials
            again = self._replace(environ, image, stored, other)
            if again is not None and again.code == 200:
                self._with_credentials = other
        return self._compare(environ, image, stored, answer)

    def _replace(
        self,
        environ: wsgi.Environ,
        image: Image,
        stored: Stored,
        with_credentials: bool,
    ) -> wsgi.Answer | None:
        """Ask Glance to register; ``None`` if it failed without an answer."""
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
            with self._turn():
                return self._glance.patch(environ, image.id, changes)
        except GlanceError:  # what came of it is found out by looking
            return None

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait for others who register, but not for one that hangs.

        Glance looks at a location three times, each time with a new boto3 session that
        parses botocore's service descriptions: many at once only hold each other up,
        and fill the memory with them.
        """
        waited = self._turns.acquire(timeout=_PATIENCE)
        try:
            yield
        finally:
            if waited:
                self._turns.release()

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
                f"Whether image {image_id} has its data is not known: "
                f"Glance answered {refused.answer.status}"
            ) from None
        if image is None:
            raise ImageGone(
                f"Image {image_id} could not be found after upload. The image "
                "may have been deleted during the upload."
            )
        if image.status == "queued" and not image.locations:
            raise _why_not(image_id, answer)
        if image.status == "queued" and _may_refer(image, stored):
            # The other change has written what the image was before, but not this.
            raise Overwritten(
                f"Image {image_id} was changed by somebody while its data was "
                "registered, and did not become active. Delete it, and upload to "
                "a new image."
            )
        if _is_ours(image, stored) and _formats(image) == _formats(before):
            return image
        if _may_refer(image, stored):
            raise GlanceError(
                f"Image {image_id} has other data, and may refer to this as well"
            )
        raise Conflict(f"Image {image_id} got its data from somebody else.")


def location_document(
    uri: StoredURI, metadata: Mapping[str, str], data: Stored | Image
) -> dict[str, Any]:
    """Return a location as a PATCH adds it.

    Glance compares the digests in it with its own, and refuses others.
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
    """Return the error for an answer after which the image still has no data."""
    if answer is None:
        return NotRegistered(f"Glance did not take image {image_id}: it gave no answer")
    if answer.code in NOT_GLANCES:
        return GlanceError(
            f"Whether image {image_id} is going to have its data is not known: "
            f"{answer.status}"
        )
    if answer.code in _CALLERS_FAULT:
        return Refused(answer)
    return NotRegistered(f"Glance did not take image {image_id}: {answer.status}")


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
    """Whether an image shows the location of the data, or hides where its data is.

    It hides it while it is deactivated, and from whom Glance's policy does not let
    see it.
    """
    if not image.locations:
        return image.status in ("active", "deactivated")
    return any(is_at(place, stored.store, stored.key) for place in image.locations)


def _digest_size(algorithm: str) -> int:
    return hashlib.new(algorithm, usedforsecurity=False).digest_size

# SPDX-License-Identifier: Apache-2.0
"""Glance's own upload and download code, run in Glance's process over a store of ours.

Glance's controllers take the store they work with as a parameter, so that all that they
check, change and notify of stays theirs: only the place where the bytes go is ours.  An
upload is ``glance.api.v2.image_data.ImageDataController.upload``, whose
``add_with_multihash`` we answer.  A download is judged by its ``download``.

Only this module, and ``relied_on`` before it, import ``glance`` into a gateway, and
only when they are asked to.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import webob.exc
from oslo_log import log as logging

from s3gateway.errors import GatewayError
from s3gateway.errors import GlanceError
from s3gateway.glance import relied_on
from s3gateway.glance.api import Glance
from s3gateway.glance.api import Image
from s3gateway.glance.api import Refused
from s3gateway.glance.controllers import Add
from s3gateway.glance.controllers import Data
from s3gateway.glance.controllers import Stores
from s3gateway.glance.controllers import controller
from s3gateway.glance.controllers import deserializer
from s3gateway.glance.image import Location
from s3gateway.glance.marks import MARK
from s3gateway.glance.marks import Mark
from s3gateway.glance.marks import MarkingDatabase
from s3gateway.http import wsgi
from s3gateway.http.wsgi import Answer
from s3gateway.http.wsgi import Environ

LOG = logging.getLogger(__name__)

#: What an upload changes of an image, and gives back if it fails.
_CHANGED = (
    "checksum",
    "locations",
    "os_hash_algo",
    "os_hash_value",
    "size",
    "virtual_size",
)


class Inside:
    """The Glance in this process.

    :raises relied_on.Unfit: if it is not one that is known
    """

    def __init__(self) -> None:
        relied_on.check()
        self._image_data: Any = import_module("glance.api.v2.image_data")
        self._wsgi: Any = import_module("glance.common.wsgi")
        self._context: Any = import_module("glance.context").RequestContext
        self._image_repo: Any = import_module("glance.db").ImageRepo
        self._not_found: Any = import_module("glance.common.exception").NotFound
        self._store_api: Any = import_module("glance_store")
        self._parts = {
            "db_api": import_module("glance.db").get_api(),
            "policy_enforcer": import_module("glance.api.policy").Enforcer(),
            "notifier": import_module("glance.notifier").Notifier(),
        }
        self._duplicate: Any = import_module("oslo_db.exception").DBDuplicateEntry
        self._reading = self._image_data.ImageDataController(**self._parts)

    def knows(self, environ: Environ) -> bool:
        """Whether Glance has said who sends a request."""
        return isinstance(_context(environ), self._context)

    def image(self, environ: Environ, image_id: str) -> Image | None:
        """Return an image as the database has it, ``None`` if the caller sees none.

        :raises GlanceError: if the database does not answer
        """
        with _answering(image_id):
            try:
                return _image(self._repo(environ).get(image_id))
            except self._not_found:
                return None

    def to_be_read(self, environ: Environ, image_id: str) -> Image:
        """Return an image whose data the caller may have.

        :raises Refused: if the caller may not, or there is none
        :raises GlanceError: if the database does not answer
        """
        request = self._wsgi.Request(dict(environ))
        wanted = self._image_data.RequestDeserializer()
        with _answering(image_id):
            try:
                # Glance 33 and later are told which stores are preferred.
                more = getattr(wanted, "download", _nothing)(request)
                return _image(self._reading.download(request, image_id, **more))
            except webob.exc.HTTPException as refused:
                raise Refused(wsgi.call(refused, environ)) from None

    def upload(self, environ: Environ, image: Image, data: Data, add: Add) -> Answer:
        """Let Glance take an upload as it always does, but for where the data goes.

        The image is ``saving`` while ``add`` runs, ``active`` after a 204 and what it
        was before after all else.

        :param image: as it was before
        :param data: what Glance is to read in place of the request's body
        :param add: puts the data into a store; what it raises of ours, is raised
        """
        mark = Mark(self._repo(environ), image, gone=self._not_found)
        stores = Stores(self._store_api, add, mark)
        database = MarkingDatabase(
            self._parts["db_api"], mark, duplicate=self._duplicate
        )
        parts = {**self._parts, "store_api": stores, "db_api": database}
        resource = self._wsgi.Resource(
            controller(self._image_data)(**parts),
            deserializer(self._image_data, data)(),
            self._image_data.ResponseSerializer(),
        )
        route = {"action": "upload", "image_id": image.id}
        answer = None
        try:
            answer = wsgi.call(
                resource, {**environ, "wsgiorg.routing_args": ((), route)}
            )
        finally:
            if answer is None or answer.code != 204:
                self._restore(image, mark)
        if stores.failure is not None:
            answer.close()
            raise stores.failure
        return answer

    def restore(self, image: Image) -> bool:
        """Make an image queued that a dead upload of ours has left; whether it is.

        :param image: as it was found, with the mark of that upload
        """
        found = str(image.properties.get(MARK) or "")
        return bool(found) and self._restore(
            image, Mark(None, image, found, gone=self._not_found)
        )

    def _restore(self, image: Image, mark: Mark) -> bool:
        """Make an image what it was before, if it is being saved by this upload.

        Glance's own way back leaves the location and the digests with the image, or
        leaves it ``saving`` for ever; and it does not look who is saving it.  It is not
        gone at all where the caller lost the image meanwhile.

        :param image: as it was before; its status does not matter
        """
        if mark.value is None:
            return False
        try:
            # Not the caller's: an admin may have given the image to somebody else.
            repo = self._image_repo(self._context(is_admin=True), self._parts["db_api"])
            found = repo.get(image.id)
            if found.status != "saving" or found.locations or not mark.is_on(found):
                return False
            found.status = "queued"
            found.extra_properties.pop(MARK, None)
            for name in _CHANGED:
                setattr(found, name, image.properties[name])
            repo.save(found, from_state="saving")
        except self._not_found:
            return False
        except Exception:
            # It is not ours: whatever it raises, the image stays as it is.
            LOG.exception("Image %s was not restored to queued", image.id)
            return False
        return True

    def _repo(self, environ: Environ) -> Any:
        """Return the innermost repository: without quotas and notifications."""
        return self._image_repo(_context(environ), self._parts["db_api"])


class Reading:
    """Says whose data may be read, as ``api.Glance`` does.

    :param glance: is asked where Glance has not said who sends a request
    """

    def __init__(self, inside: Inside, glance: Glance) -> None:
        self._inside = inside
        self._glance = glance

    def show(self, environ: Environ, image_id: str) -> Image:
        """Return an image with its locations.

        :raises Refused: if the caller may not have its data, or there is none
        :raises GlanceError: if Glance does not answer
        """
        if self._inside.knows(environ):
            return self._inside.to_be_read(environ, image_id)
        return self._glance.show(environ, image_id)

    def may_download(self, environ: Environ, image: Image) -> bool:
        """Whether the caller may have the data of an image that was shown."""
        return self._inside.knows(environ) or self._glance.may_download(environ, image)


def _nothing(request: object) -> dict[str, Any]:
    return {}


@contextlib.contextmanager
def _answering(image_id: str) -> Iterator[None]:
    """Have Glance's own troubles raised as such."""
    try:
        yield
    except (GatewayError, Refused):
        raise
    except Exception as error:
        # It is not ours: whatever it raises, it did not answer.
        LOG.exception("Glance did not look for image %s", image_id)
        raise GlanceError("Glance did not answer.") from error


def _context(environ: Environ) -> Any:
    return environ.get(wsgi.CONTEXT, {}).get("context")


def _image(found: Any) -> Image:
    """Return one of Glance's own images."""
    locations = [dict(location) for location in found.locations]
    return Image(
        id=found.image_id,
        status=found.status,
        size=found.size,
        checksum=found.checksum or "",
        os_hash_algo=found.os_hash_algo or "",
        os_hash_value=found.os_hash_value or "",
        locations=tuple(
            Location(location["url"], location.get("metadata") or {})
            for location in locations
        ),
        properties={
            **found.extra_properties,
            **{name: getattr(found, name) for name in _CHANGED},
            "locations": locations,
            "status": found.status,
            "owner": found.owner,
            "disk_format": found.disk_format,
            "container_format": found.container_format,
            "visibility": found.visibility,
            "updated_at": _isotime(found.updated_at),
        },
    )


def _isotime(moment: datetime.datetime) -> str:
    return moment.replace(tzinfo=None, microsecond=0).isoformat() + "Z"

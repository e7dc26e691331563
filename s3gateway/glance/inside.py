# SPDX-License-Identifier: Apache-2.0
"""Runs Glance's own upload and download code in Glance's process.

Glance's controllers take their store as a parameter.  So Glance still makes all checks,
changes and notifications, and the gateway only moves the bytes.  An upload runs
``glance.api.v2.image_data.ImageDataController.upload``; the gateway implements its
store's ``add_with_multihash``.  A download runs the checks of ``download``.

In a gateway only this module and ``relied_on`` import ``glance``, and only on use.
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
from s3gateway.glance.api import image_from
from s3gateway.glance.controllers import Add
from s3gateway.glance.controllers import Data
from s3gateway.glance.controllers import Stores
from s3gateway.glance.controllers import controller
from s3gateway.glance.controllers import deserializer
from s3gateway.glance.marks import MARK
from s3gateway.glance.marks import Mark
from s3gateway.glance.marks import MarkingDatabase
from s3gateway.http import wsgi
from s3gateway.http.wsgi import Answer
from s3gateway.http.wsgi import Environ

LOG = logging.getLogger(__name__)

#: Attributes of an image that an upload changes, and restores if it fails.
_CHANGED = (
    "checksum",
    "locations",
    "os_hash_algo",
    "os_hash_value",
    "size",
    "virtual_size",
)

#: Other attributes that the gateway needs.
_SHOWN = ("container_format", "disk_format", "owner", "status", "visibility")


class Inside:
    """The Glance in this process.

    :raises relied_on.Unfit: if it lacks something that the gateway relies on
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
        """Whether Glance has identified the sender of a request."""
        return isinstance(_context(environ), self._context)

    def image(self, environ: Environ, image_id: str) -> Image | None:
        """Return an image from the database, ``None`` if the caller cannot see it.

        :raises GlanceError: if the database does not answer
        """
        with _answering(image_id):
            try:
                return _image(self._repo(environ).get(image_id))
            except self._not_found:
                return None

    def to_be_read(self, environ: Environ, image_id: str) -> Image:
        """Return an image whose data the caller may read.

        :raises Refused: if the caller may not, or there is no such image
        :raises GlanceError: if the database does not answer
        """
        request = self._wsgi.Request(dict(environ))
        wanted = self._image_data.RequestDeserializer()
        with _answering(image_id):
            try:
                # Glance 33 and later read ``?prefer=``, which names stores.
                more = getattr(wanted, "download", _nothing)(request)
                return _image(self._reading.download(request, image_id, **more))
            except webob.exc.HTTPException as refused:
                raise Refused(wsgi.call(refused, environ)) from None

    def upload(self, environ: Environ, image: Image, data: Data, add: Add) -> Answer:
        """Run Glance's upload, but let ``add`` store the data.

        The image is ``saving`` while ``add`` runs, ``active`` after a 204, and as
        before after any other result.

        :param image: the image before the upload
        :param data: replaces the body of the request
        :param add: puts the data into a store; its GatewayErrors are raised again
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
        """Set an image that a dead upload left ``saving`` to ``queued``.

        :param image: as found, with the mark of that upload
        :return: whether it is queued now
        """
        found = str(image.properties.get(MARK) or "")
        return bool(found) and self._restore(
            image, Mark(None, image, found, gone=self._not_found)
        )

    def _restore(self, image: Image, mark: Mark) -> bool:
        """Set an image back to its state before, if this upload is saving it.

        Glance's own undo can leave the location and the digests in the image, or leave
        it ``saving`` for ever.  It also does not check which upload is saving it, and
        does not run at all if the caller lost the image meanwhile.

        :param image: as it was before; its status is ignored
        """
        if mark.value is None:
            return False
        try:
            # As admin, not as the caller: the image may have a new owner by now.
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
            # Glance's code may raise anything: the image stays as it is.
            LOG.exception("Image %s was not set back to queued", image.id)
            return False
        return True

    def _repo(self, environ: Environ) -> Any:
        """Return Glance's innermost repository, without quotas and notifications."""
        return self._image_repo(_context(environ), self._parts["db_api"])


class Reading:
    """Decides whose data a caller may read, as ``api.Glance`` does.

    :param glance: decides for requests whose sender Glance has not identified
    """

    def __init__(self, inside: Inside, glance: Glance) -> None:
        self._inside = inside
        self._glance = glance

    def show(self, environ: Environ, image_id: str) -> Image:
        """Return an image with its locations.

        :raises Refused: if the caller may not read its data, or there is no image
        :raises GlanceError: if Glance does not answer
        """
        if self._inside.knows(environ):
            return self._inside.to_be_read(environ, image_id)
        return self._glance.show(environ, image_id)

    def may_download(self, environ: Environ, image: Image) -> bool:
        """Whether the caller may read the data of an image that was shown."""
        return self._inside.knows(environ) or self._glance.may_download(environ, image)


def _nothing(request: object) -> dict[str, Any]:
    return {}


@contextlib.contextmanager
def _answering(image_id: str) -> Iterator[None]:
    """Raise an unexpected exception of Glance's code as a GlanceError."""
    try:
        yield
    except (GatewayError, Refused):
        raise
    except Exception as error:
        # Glance's code may raise anything: it did not answer.
        LOG.exception("Glance failed to look up image %s", image_id)
        raise GlanceError("Glance did not answer.") from error


def _context(environ: Environ) -> Any:
    return environ.get(wsgi.CONTEXT, {}).get("context")


def _image(found: Any) -> Image:
    """Return an image made from one of Glance's own."""
    return image_from({
        **found.extra_properties,
        **{name: getattr(found, name) for name in (*_CHANGED, *_SHOWN)},
        "id": found.image_id,
        "locations": [dict(location) for location in found.locations],
        "updated_at": _isotime(found.updated_at),
    })  # fmt: skip


def _isotime(moment: datetime.datetime) -> str:
    return moment.replace(tzinfo=None, microsecond=0).isoformat() + "Z"

# SPDX-License-Identifier: Apache-2.0
"""Glance's own upload and download code, run in Glance's process over a store of ours.

Glance's controllers take the store they work with as a parameter, so that all that they
check, change and notify of stays theirs: only the place where the bytes go is ours.  An
upload is ``glance.api.v2.image_data.ImageDataController.upload``, whose
``add_with_multihash`` we answer.  A download is judged by its ``download``.

Only this module imports ``glance`` into a gateway, and only when it is asked to.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import functools
import inspect
import secrets
import sys
import time
from collections.abc import Callable
from collections.abc import Iterator
from importlib import import_module
from typing import Any
from typing import Protocol

import webob.exc
from oslo_log import log as logging

from s3gateway.errors import Conflict
from s3gateway.errors import GatewayError
from s3gateway.errors import GlanceError
from s3gateway.glance.api import Glance
from s3gateway.glance.api import Image
from s3gateway.glance.api import Refused
from s3gateway.glance.image import Location
from s3gateway.http import wsgi
from s3gateway.http.wsgi import Answer
from s3gateway.http.wsgi import Environ

LOG = logging.getLogger(__name__)

#: What is relied on: the module, what in it, and the parameters that it takes.
_RELIED_ON = (
    (
        "glance.api.v2.image_data",
        "ImageDataController",
        ("db_api", "store_api", "policy_enforcer", "notifier"),
    ),
    (
        "glance.api.v2.image_data",
        "ImageDataController.upload",
        ("req", "image_id", "data", "size"),
    ),
    (
        "glance.api.v2.image_data",
        "ImageDataController.download",
        ("req", "image_id"),
    ),
    (
        "glance.api.v2.image_data",
        "ImageDataController._restore",
        ("image_repo", "image"),
    ),
    ("glance.api.v2.image_data", "RequestDeserializer.upload", ("request",)),
    ("glance.api.v2.image_data", "ResponseSerializer", ()),
    ("glance.api.policy", "Enforcer", ()),
    (
        "glance.common.wsgi",
        "Resource",
        ("controller", "deserializer", "serializer"),
    ),
    ("glance.common.wsgi", "Request", ("environ",)),
    ("glance.context", "RequestContext", ()),
    ("glance.db", "get_api", ()),
    ("glance.db", "ImageRepo", ("context", "db_api")),
    ("glance.db", "ImageRepo.save", ("image", "from_state")),
    ("glance.db", "ImageRepo.set_property_atomic", ("image", "name", "value")),
    ("glance.db", "ImageRepo.delete_property_atomic", ("image", "name", "value")),
    ("glance.notifier", "Notifier", ()),
    (
        "glance_store",
        "add_with_multihash",
        ("image_id", "data", "size", "hashing_algo", "context", "verifier"),
    ),
    (
        "glance_store",
        "add_to_backend_with_multihash",
        ("image_id", "data", "size", "hashing_algo", "context", "verifier"),
    ),
)

#: What an upload changes of an image, and gives back if it fails.
_CHANGED = (
    "checksum",
    "locations",
    "os_hash_algo",
    "os_hash_value",
    "size",
    "virtual_size",
)


#: What an image has while an upload of ours saves its data: whose it is, and since
#: when.  Glance lets no user write a property of that name, and takes it away when it
#: saves the image.
MARK = "os_glance_s3gateway_upload"


class Unfit(Exception):
    """Glance is not here, or is not one that is known; the text says what is missing.

    :ivar is_here: whether there is a Glance in this process
    """

    def __init__(self, text: str, *, is_here: bool) -> None:
        super().__init__(text)
        self.is_here = is_here


@dataclasses.dataclass(frozen=True, kw_only=True)
class Added:
    """What a store says of the data that it took, as glance_store's ``add`` does.

    :ivar url: the location
    :ivar size: in bytes
    :ivar checksum: md5 in hexadecimal
    """

    url: str = dataclasses.field(repr=False)
    size: int
    checksum: str
    multihash: str
    metadata: dict[str, str]


class Data(Protocol):
    """An image's bytes as Glance hands them to a store; reading checks them."""

    def read(self, size: int, /) -> bytes: ...


class Verifier(Protocol):
    """What verifies an image's signature (``cursive.signature_utils``)."""

    def update(self, data: bytes) -> None: ...


#: Puts data into a store; is handed the name of the digest and what verifies the
#: signature, if there is one.  ``None`` if there was no data.
Add = Callable[[Data, str, "Verifier | None"], "Added | None"]


class Inside:
    """The Glance in this process.

    :raises Unfit: if it is not one that is known
    """

    def __init__(self) -> None:
        check()
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
        mark = _Mark(self._repo(environ), image, gone=self._not_found)
        stores = _Stores(self._store_api, add, mark)
        restore = functools.partial(self._restore, image, mark)
        resource = self._wsgi.Resource(
            _controller(self._image_data, restore)(store_api=stores, **self._parts),
            _deserializer(self._image_data, data)(),
            self._image_data.ResponseSerializer(),
        )
        route = {"action": "upload", "image_id": image.id}
        try:
            answer = wsgi.call(
                resource, {**environ, "wsgiorg.routing_args": ((), route)}
            )
        except BaseException:
            restore()  # Glance itself restores after an Exception, and raises none
            raise
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
            image, _Mark(None, image, found, gone=self._not_found)
        )

    def _restore(self, image: Image, mark: _Mark) -> bool:
        """Make an image what it was before, if it is being saved by this upload.

        Glance's own way back leaves the location and the digests with the image, or
        leaves it ``saving`` for ever; and it does not look who is saving it.

        :param image: as it was before; its status does not matter
        """
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


def check() -> None:
    """Make sure that all that is relied on is there.

    :raises Unfit: naming what is not
    """
    if "glance.api.v2.image_data" not in sys.modules:
        raise Unfit("Glance is not in this process", is_here=False)
    for module, name, parameters in _RELIED_ON:
        try:
            found: Any = import_module(module)
            for part in name.split("."):
                found = getattr(found, part)
            accepted = inspect.signature(found).parameters
        except (ImportError, AttributeError, TypeError, ValueError):
            raise Unfit(f"{module} has no {name}", is_here=True) from None
        for parameter in parameters:
            if parameter not in accepted:
                raise Unfit(f"{module}.{name} takes no {parameter}", is_here=True)


class _Mark:
    """Says of an image that is ``saving`` which upload saves it.

    An image that is deleted meanwhile is Glance's to notice, when it saves it.

    :param repo: the repository that it is written to
    :param value: what it says, if it was written before
    :param gone: what the repository raises if there is no image
    """

    def __init__(self, repo: Any, image: Image, value: str = "", *, gone: Any) -> None:
        self._repo = repo
        self._image = image
        self._value = value
        self._gone = gone

    def put(self) -> None:
        """Write it.

        :raises Conflict: if another upload has taken the image over
        """
        value = f"{secrets.token_hex(8)} {time.time():.0f}"
        try:
            found = self._repo.get(self._image.id)
        except self._gone:
            return
        other = found.extra_properties.get(MARK, "")
        if found.status != "saving" or other not in ("", self._image.properties[MARK]):
            raise Conflict("Another upload to the image has taken over.")
        if other:  # it was there before, and nobody has taken it away
            self._repo.delete_property_atomic(found, MARK, other)
        self._repo.set_property_atomic(found, MARK, value)
        self._value = value

    def check(self) -> None:
        """Make sure that the image is still being saved by this upload.

        :raises Conflict: if another one has taken over
        """
        with contextlib.suppress(self._gone):
            if not self.is_on(self._repo.get(self._image.id)):
                raise Conflict("Another upload to the image has taken over.")

    def is_on(self, found: Any) -> bool:
        """Whether an image has it, or none if none was written."""
        return bool(found.extra_properties.get(MARK, "") == self._value)


def marked_since(image: Image) -> float | None:
    """Return when an upload of ours began to save an image, ``None`` if none does.

    :return: in seconds since the epoch, by the clock of its gateway
    """
    moment = str(image.properties.get(MARK) or "").partition(" ")[2]
    return float(moment) if moment.isdecimal() else None


class _Stores:
    """``glance_store`` with one place for data that is ours."""

    def __init__(self, store_api: Any, add: Add, mark: _Mark) -> None:
        self.failure: GatewayError | None = None
        self._store_api = store_api
        self._add = add
        self._mark = mark

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store_api, name)

    def add_with_multihash(
        self,
        conf: Any,
        image_id: str,
        data: Data,
        size: int,
        backend: str,
        hashing_algo: str,
        **about: Any,
    ) -> Any:
        """Store data in the backend of a name."""
        return self._added(data, hashing_algo, about) or (
            self._store_api.add_with_multihash(
                conf, image_id, data, size, backend, hashing_algo, **about
            )
        )

    def add_to_backend_with_multihash(
        self,
        conf: Any,
        image_id: str,
        data: Data,
        size: int,
        hashing_algo: str,
        **about: Any,
    ) -> Any:
        """Store data in the only backend."""
        return self._added(data, hashing_algo, about) or (
            self._store_api.add_to_backend_with_multihash(
                conf, image_id, data, size, hashing_algo, **about
            )
        )

    def _added(self, data: Data, algorithm: str, about: dict[str, Any]) -> Any:
        """Return what glance_store returns; ``None`` if there was no data."""
        try:
            self._mark.put()
            added = self._add(data, algorithm, about.get("verifier"))
            self._mark.check()
        except GatewayError as error:
            self.failure = error
            kind = webob.exc.status_map[error.status]
            raise kind(explanation=str(error)) from error
        if added is None:
            return None
        return dataclasses.astuple(added)


def _controller(image_data: Any, restore: Callable[[], object]) -> Any:
    class Controller(image_data.ImageDataController):  # type: ignore[misc]
        def _restore(self, image_repo: Any, image: Any) -> None:
            if image is not None:
                restore()

    return Controller


def _deserializer(image_data: Any, data: Data) -> Any:
    class Deserializer(image_data.RequestDeserializer):  # type: ignore[misc]
        def upload(self, request: Any) -> dict[str, Any]:
            return {**super().upload(request), "data": data}

    return Deserializer


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
            MARK: found.extra_properties.get(MARK, ""),
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

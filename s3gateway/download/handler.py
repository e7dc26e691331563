# SPDX-License-Identifier: Apache-2.0
"""GET and HEAD of image data: a download, from top to bottom.

Glance decides who may read.  Requests that it would refuse, and images that are not in
a configured S3 store, pass to Glance.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from collections.abc import Mapping
from typing import Protocol
from urllib import parse

from oslo_log import log as logging
from oslo_utils import timeutils

from s3gateway import uris
from s3gateway.config.settings import Settings
from s3gateway.download.body import Delivery
from s3gateway.download.failover import Copies
from s3gateway.download.failover import Copy
from s3gateway.download.failover import Version
from s3gateway.download.pieces import Pieces
from s3gateway.errors import ObjectNotFound
from s3gateway.errors import PreconditionFailed
from s3gateway.errors import RangeNotSatisfiable
from s3gateway.glance.api import Glance
from s3gateway.glance.api import Image
from s3gateway.glance.api import Refused
from s3gateway.glance.image import Location
from s3gateway.glance.image import store_of
from s3gateway.glance.notifications import Notifications
from s3gateway.glance.policy import receiver_of
from s3gateway.glance.releases import Traits
from s3gateway.http import preconditions
from s3gateway.http import ranges
from s3gateway.http.answer_body import AnswerBody
from s3gateway.http.preconditions import Validators
from s3gateway.http.ranges import Span
from s3gateway.http.wsgi import Answer
from s3gateway.http.wsgi import Environ
from s3gateway.store import ObjectStore
from s3gateway.streams.digests import Verification

LOG = logging.getLogger(__name__)


class Images(Protocol):
    """Decides whose data may be read."""

    def show(self, environ: Environ, image_id: str) -> Image:
        """Return an image with its locations.

        :raises Refused: if the caller may not see it, or there is none
        :raises GlanceError: if Glance does not answer
        """

    def may_download(self, environ: Environ, image: Image) -> bool:
        """Whether the caller may have the data of an image that was shown."""


class Downloads:
    """Answers downloads of images that are in an S3 store.

    :param images: decides who may read what
    """

    def __init__(
        self,
        glance: Glance,
        images: Images,
        stores: Mapping[str, ObjectStore],
        settings: Settings,
        *,
        traits: Traits,
        notifications: Notifications,
    ) -> None:
        self._glance = glance
        self._images = images
        self._stores = stores
        self._settings = settings
        self._traits = traits
        self._notifications = notifications
        self._pieces = Pieces.of(settings.transfer)

    def get(self, environ: Environ, image_id: str) -> Answer:
        """Answer ``GET`` or ``HEAD`` of ``/v2/images/{id}/file``.

        :raises RequestError: if a range or precondition fails
        :raises StoreError: if no store delivers the data
        """
        try:
            image = self._images.show(environ, image_id)
        except Refused as refused:
            return self._pass(environ, image_id, f"it says {refused}")
        copies = self._copies(environ, image)
        if not (image.status == "active" and image.size and copies):
            return self._pass(
                environ, image_id, "Glance would not read its data from S3 first"
            )
        if not self._images.may_download(environ, image):
            return self._pass(environ, image_id, "the caller may not read it")
        try:
            return self._answer(environ, image, image.size, copies)
        except (ranges.NotUnderstood, ObjectNotFound) as error:
            return self._pass(environ, image_id, f"{type(error).__name__}: {error}")

    def forget(self, image_id: str) -> None:
        """Keep no data of an image: some of it is gone, or nobody may have it."""
        self._pieces.hot_images.forget(image_id)

    def _pass(self, environ: Environ, image_id: str, reason: str) -> Answer:
        LOG.debug("Download of image %s is left to Glance: %s", image_id, reason)
        return self._glance.pass_through(environ)

    def _answer(
        self, environ: Environ, image: Image, size: int, copies: list[Copy]
    ) -> Answer:
        validators = _validators(image)
        headers = [("Accept-Ranges", "bytes"), *validators.headers()]
        failed = preconditions.failed(environ, validators)
        if failed == 412:
            raise PreconditionFailed("The image's data is another version.", headers)
        if failed == 304:
            return Answer("304 Not Modified", headers, [])
        part = _span(environ, size, validators)
        span = part or Span(0, size)
        headers.append(("Content-Type", "application/octet-stream"))
        if image.checksum:
            headers.append(("Content-MD5", image.checksum))
        headers.append(("Content-Length", str(span.length)))
        if part is not None:
            headers.append(("Content-Range", part.content_range(size)))
        status = "200 OK" if part is None else "206 Partial Content"
        if environ["REQUEST_METHOD"] == "HEAD":
            return Answer(status, headers, [])
        delivery = self._delivery(environ, image, span, copies)
        delivery.open()
        return Answer(status, headers, AnswerBody(delivery, span.length))

    def _delivery(
        self, environ: Environ, image: Image, span: Span, copies: list[Copy]
    ) -> Delivery:
        size = image.size or 0
        transfer = self._settings.transfer
        return Delivery(
            image.id,
            Copies(image.id, copies, span, size=size, retry_time=transfer.retry_time),
            span,
            pieces=self._pieces,
            environ=environ,
            ended=self._ended(environ, image, span),
            verification=self._verification(image, span),
        )

    def _verification(self, image: Image, span: Span) -> Verification | None:
        """Return a check of the digest, ``None`` if it is off or this is a range."""
        size = image.size or 0
        wanted = self._settings.transfer.verify_downloads
        if not (wanted and span.length == size and image.os_hash_value):
            return None
        return Verification(size, image.os_hash_algo, image.os_hash_value)

    def _ended(
        self, environ: Environ, image: Image, span: Span
    ) -> Callable[[int], None] | None:
        """Return a function that notifies of the end, ``None`` if nothing is sent."""
        if not self._notifications.wanted:
            return None
        receiver = receiver_of(environ)
        return lambda count: self._notifications.sent(
            image, receiver, count, span.length
        )

    def _copies(self, environ: Environ, image: Image) -> list[Copy]:
        """Return the copies in S3 stores in Glance's order.

        It is empty if Glance would read from another kind of store first.
        """
        preferred = _preferred(environ) if self._traits.knows_prefer else ()
        ordered = sorted(
            image.locations,
            key=lambda location: location.metadata.get("store") not in preferred,
        )
        version = _version(image)
        copies = [self._copy(location, version) for location in ordered]
        ours = [copy for copy in copies if copy is not None]
        return ours if copies[:1] == ours[:1] else []

    def _copy(self, location: Location, version: Version) -> Copy | None:
        uri = uris.try_parse(location.url)
        store = self._stores.get(store_of(location, self._settings.stores))
        if uri is None or store is None:
            return None
        return Copy(store, uri.bucket, uri.key, version)


def _version(image: Image) -> Version:
    """Return what says which data an image has."""
    if image.os_hash_value:
        return Version(image.id, f"{image.os_hash_algo}:{image.os_hash_value}")
    return Version(image.id, image.checksum or "")


def _preferred(environ: Environ) -> list[str]:
    """Return the stores that ``?prefer=`` names."""
    query = parse.parse_qs(environ.get("QUERY_STRING", ""))
    return [name.strip() for name in query.get("prefer", [""])[-1].split(",")]


def _span(environ: Environ, size: int, validators: Validators) -> Span | None:
    """Return the requested range, ``None`` for the whole image.

    :raises RangeNotSatisfiable: if it lies behind the end
    :raises ranges.NotUnderstood: if Glance must answer
    """
    if environ["REQUEST_METHOD"] != "GET":  # RFC 9110, 14.2
        return None
    try:
        if "HTTP_RANGE" in environ:
            if not preconditions.range_applies(environ, validators):
                return None
            return ranges.of_range(environ["HTTP_RANGE"], size)
        if "HTTP_CONTENT_RANGE" in environ:
            return ranges.of_content_range(environ["HTTP_CONTENT_RANGE"], size)
    except ranges.NotSatisfiable:
        raise RangeNotSatisfiable(
            "Invalid start position in Range header. Start position MUST be in "
            f"the inclusive range [0, {size - 1}].",
            [("Content-Range", f"bytes */{size}"), ("Accept-Ranges", "bytes")],
        ) from None
    return None


def _validators(image: Image) -> Validators:
    """Return the ETag and Last-Modified of the data: its digest and ``updated_at``.

    The data of an active image never changes.  ``updated_at`` changes with every change
    of the image, so it may be too late, but never too early.
    """
    modified = timeutils.parse_isotime(image.properties["updated_at"])
    return Validators(
        etag=image.os_hash_value or image.checksum,
        modified=modified.astimezone(datetime.timezone.utc),
    )

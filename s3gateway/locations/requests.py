# SPDX-License-Identifier: Apache-2.0
"""What comes in: who may write locations, and which.

With ``show_multiple_locations`` on, stock Glance lets an image's owner point the
image at any URL (OSSN-0065, OSSN-0090).  Here that is for whoever the rule
``manage_locations`` names.  Nova and Cinder write ``rbd`` and ``cinder`` URLs with
their users' tokens: those pass.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from oslo_serialization import jsonutils

from s3gateway import uris
from s3gateway.errors import Forbidden
from s3gateway.errors import RequestError
from s3gateway.glance import routes
from s3gateway.glance.api import Glance
from s3gateway.glance.api import Image
from s3gateway.glance.image import VIRTUAL_SIZE
from s3gateway.glance.image import Location
from s3gateway.glance.image import location_uri
from s3gateway.glance.policy import Rules
from s3gateway.http import request_body
from s3gateway.http.wsgi import Environ
from s3gateway.locations import patches
from s3gateway.locations.documents import Masks
from s3gateway.locations.patches import Write
from s3gateway.monitoring import metrics


class Guard:
    """Looks at requests that may write locations.

    :param passing: schemes that anybody may write whom Glance lets
    :param with_credentials: whether Glance's location URIs hold the keys
    """

    def __init__(
        self,
        glance: Glance,
        masks: Masks,
        rules: Rules,
        *,
        passing: Collection[str],
        with_credentials: bool,
    ) -> None:
        self._glance = glance
        self._masks = masks
        self._stores = masks.stores
        self._rules = rules
        self._passing = frozenset(passing)
        self._with_credentials = with_credentials

    def admit(self, environ: Environ) -> Environ:
        """Return the request as Glance may see it, most often as it came.

        Masked URLs in it have become the ones that Glance knows.

        :raises Forbidden: if it writes locations that its sender may not
        :raises RequestError: if it writes locations that nobody may
        :raises Refused: if there is no such image for the sender
        """
        method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")
        image_id = routes.image_of_location_write(method, path)
        if image_id is None:
            return environ
        environ, body = request_body.buffered(environ)
        try:
            document = jsonutils.loads(body)
        except ValueError:
            return environ  # Glance reads it the same way and says what is wrong
        found = patches.find(document)
        if all(self._passes(write) for write in found):
            return environ
        image = self._glance.show(environ, image_id)
        if not self._rules.may_manage_locations(environ, image):
            self._refuse(found, image)
        elif self._unmask(found, image):
            return request_body.replaced(environ, json.dumps(document).encode())
        return environ

    def _passes(self, write: Write) -> bool:
        """Whether a write is one that needs no further look."""
        return write.operation != "remove" and all(
            uris.scheme_of(location["url"]) in self._passing
            for location in write.locations
        )

    def _refuse(self, found: list[Write], image: Image) -> None:
        for write in found:
            if self._passes(write) or self._removes_what_passes(write, image):
                continue
            verb = {"replace": "update"}.get(write.operation, write.operation)
            metrics.REFUSED_WRITES.inc()
            raise Forbidden(
                f"It's not allowed to {verb} locations if locations are invisible."
            )

    def _removes_what_passes(self, write: Write, image: Image) -> bool:
        return write.operation == "remove" and all(
            uris.scheme_of(location.url) in self._passing
            for location in image.locations
        )

    def _unmask(self, found: list[Write], image: Image) -> bool:
        """Put in what Glance holds for masked URLs; whether anything changed."""
        before = json.dumps([write.locations for write in found])
        for write in found:
            stored = list(image.locations)
            for location in write.locations:
                if uris.is_s3(location["url"]):
                    self._put_stored(location, image.id, stored)
        return json.dumps([write.locations for write in found]) != before

    def _put_stored(
        self, location: dict[str, Any], image_id: str, stored: list[Location]
    ) -> None:
        """Make a location of a request what Glance holds or may hold.

        :param stored: those of the image's locations that are not taken yet
        """
        for candidate in stored:
            if self._masks.location(candidate, image_id) == location["url"]:
                stored.remove(candidate)
                location["url"] = candidate.url
                if VIRTUAL_SIZE in candidate.metadata:
                    kept = {VIRTUAL_SIZE: candidate.metadata[VIRTUAL_SIZE]}
                    location["metadata"] = {**location.get("metadata", {}), **kept}
                return
        location["url"] = self._checked(location["url"])

    def _checked(self, url: str) -> str:
        """Return a location URI for Glance, if it lies in one of our buckets."""
        uri = uris.try_parse(url)
        for store in self._stores.values():
            if uri and (uri.service, uri.bucket) == (store.service, store.bucket):
                return str(location_uri(store, uri.key, self._with_credentials))
        metrics.REFUSED_WRITES.inc()
        raise RequestError(
            "Invalid location: an S3 location must be one of the image's own or lie "
            "in the bucket of a configured store."
        )

# SPDX-License-Identifier: Apache-2.0
"""PATCH and POST of locations: checks the right to write, and rewrites masked URLs.

With ``show_multiple_locations``, stock Glance lets the owner of an image point it at
any URL (OSSN-0065, OSSN-0090).  The gateway requires the policy rule
``manage_locations`` for that.  Nova and Cinder write ``rbd`` and ``cinder`` URLs with
the tokens of their users: the gateway passes those.

The gateway forwards a new body, made from what it has checked.  It forwards a request
that it does not understand without the body: Glance answers it, and writes nothing.
"""

from __future__ import annotations

import json
import re
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

#: In a request that takes locations from an image: the image's id.
TAKES_FROM = "s3gateway.takes_locations_from"

# Replaces a body that is not JSON; it is not JSON either.
_MALFORMED = b"{"

_URL = re.compile(r"([a-z][a-z0-9+.-]*)://[^\s\x00-\x1f\x7f]*")


class Guard:
    """Judges requests that may write locations.

    :param passing: schemes that the gateway does not restrict
    :param with_credentials: whether Glance's location URIs hold the S3 keys
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
        """Return the request for Glance, with stored URLs in place of masked ones.

        If it takes locations from an image, it says so under ``TAKES_FROM``.

        :param environ: a canonical request
        :raises Forbidden: if the sender may not write the locations
        :raises RequestError: if nobody may write the locations
        :raises Refused: if the sender cannot see the image
        """
        method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")
        if method == "PATCH":
            return self._patch(environ, routes.image(path))
        if method == "POST" and routes.names_locations(path):
            return self._post(environ, routes.image_of_locations(path))
        return environ

    def _patch(self, environ: Environ, image_id: str | None) -> Environ:
        environ, body = request_body.buffered(environ)
        media_type = environ.get("CONTENT_TYPE", "").split(";", 1)[0]  # as WebOb
        if image_id is None or media_type not in patches.MEMBERS or not body:
            return request_body.replaced(environ, b"")
        environ = {**environ, "CONTENT_TYPE": media_type}
        try:
            patch = patches.read(jsonutils.loads(body), media_type)
        except (ValueError, RecursionError):
            return request_body.replaced(environ, _MALFORMED)
        writes = patches.location_writes(patch, media_type)
        self._judge(environ, image_id, writes)
        if any(write.operation != "add" for write in writes):
            environ[TAKES_FROM] = image_id
        return _with_document(environ, patch)

    def _post(self, environ: Environ, image_id: str | None) -> Environ:
        environ, body = request_body.buffered(environ)
        if image_id is None or not body:
            return request_body.replaced(environ, b"")
        try:
            document = jsonutils.loads(body)
        except (ValueError, RecursionError):
            return request_body.replaced(environ, _MALFORMED)
        if isinstance(document, dict) and "url" in document:
            write = Write("add", {"value": document})
            self._judge(environ, image_id, [write])
            document = write.change["value"]
        return _with_document(environ, document)

    def _judge(self, environ: Environ, image_id: str, writes: list[Write]) -> None:
        """Refuse the writes, or rewrite them for Glance."""
        if all(write.operation == "add" and self._passes(write) for write in writes):
            return
        image = self._glance.show(environ, image_id)
        if self._rules.may_manage_locations(environ, image):
            self._put_stored(writes, image)
            return
        for write in writes:
            if not self._may_anybody(write, image):
                verb = {"replace": "update"}.get(write.operation, write.operation)
                metrics.REFUSED_WRITES.inc()
                raise Forbidden(
                    f"It's not allowed to {verb} locations if locations are invisible."
                )

    def _may_anybody(self, write: Write, image: Image) -> bool:
        """Whether the write adds and removes only URLs of passing schemes."""
        given_up = image.locations if write.operation != "add" else ()
        return self._passes(write) and all(
            self._is_passing(location.url) for location in given_up
        )

    def _passes(self, write: Write) -> bool:
        return write.is_understood and all(
            self._is_passing(location["url"]) for location in write.locations
        )

    def _is_passing(self, url: str) -> bool:
        match = _URL.fullmatch(url)
        return match is not None and match[1] in self._passing

    def _put_stored(self, writes: list[Write], image: Image) -> None:
        """Replace S3 URLs and masked URLs by those that Glance stores."""
        for write in writes:
            stored = list(image.locations)
            found = [
                self._stored(location, image.id, stored)
                if isinstance(location, dict) and uris.is_s3(location.get("url"))
                else location
                for location in write.locations
            ]
            if isinstance(write.change.get("value"), list):
                write.change["value"] = found
            elif found:
                [write.change["value"]] = found

    def _stored(
        self, location: dict[str, Any], image_id: str, stored: list[Location]
    ) -> dict[str, Any]:
        """Return a location of a request in the form that Glance stores.

        :param stored: locations of the image that no other location has taken yet
        """
        for candidate in stored:
            if self._masks.location(candidate, image_id) == location["url"]:
                stored.remove(candidate)
                found = {**location, "url": candidate.url}
                if VIRTUAL_SIZE in candidate.metadata:
                    kept = {VIRTUAL_SIZE: candidate.metadata[VIRTUAL_SIZE]}
                    found["metadata"] = {**location.get("metadata", {}), **kept}
                return found
        return {**location, "url": self._checked(location["url"])}

    def _checked(self, url: str) -> str:
        """Return the URI that Glance stores, for an object in a configured bucket."""
        uri = uris.try_parse(url)
        for store in self._stores.values():
            if uri and store.has(uri.service, uri.bucket):
                return str(location_uri(store, uri.key, self._with_credentials))
        metrics.REFUSED_WRITES.inc()
        raise RequestError(
            "Invalid location: an S3 location must be one of the image's own or lie "
            "in the bucket of a configured store."
        )


def _with_document(environ: Environ, document: Any) -> Environ:
    """Return a request whose body is a document.

    :raises RequestError: if the document is nested too deeply
    """
    try:
        return request_body.replaced(environ, json.dumps(document).encode())
    except RecursionError:
        raise RequestError("The document is nested too deeply.") from None

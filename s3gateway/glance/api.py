# SPDX-License-Identifier: Apache-2.0
"""Requests to Glance's image API, through the next WSGI app, as the caller.

The next app is Glance itself behind the filter, and ``upstream.py`` in a stand-alone
gateway.  This module does not know which.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any

from oslo_log import log as logging

from s3gateway.errors import GlanceError
from s3gateway.glance.image import Location
from s3gateway.http import wsgi

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

LOG = logging.getLogger(__name__)

#: Unified limits and what is used of them, by name.
Usage = Mapping[str, Mapping[str, int]]

_JSON_PATCH = "application/openstack-images-v2.1-json-patch"


@dataclasses.dataclass(frozen=True)
class Image:
    """An image as Glance shows it to the caller.

    :ivar size: in bytes, ``None`` while unknown
    :ivar properties: everything that Glance shows
    """

    id: str
    status: str
    size: int | None
    checksum: str
    os_hash_algo: str
    os_hash_value: str
    locations: tuple[Location, ...]
    properties: Mapping[str, Any]


class Refused(Exception):
    """Glance answered a request with the error ``answer``."""

    fault = "client"

    def __init__(self, answer: wsgi.Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Glance:
    """Glance's image API."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def pass_through(self, environ: wsgi.Environ) -> wsgi.Answer:
        """Let Glance answer the client's own request."""
        return wsgi.call(self._app, environ)

    def show(self, environ: wsgi.Environ, image_id: str) -> Image:
        """Return an image as the caller sees it.

        :raises Refused: if the caller may not see it, or it does not exist
        :raises GlanceError: if the answer is not an image
        """
        answer = self._ask(environ, "GET", f"/v2/images/{image_id}")
        try:
            return image_from(_document(answer))
        except (ValueError, KeyError, TypeError) as error:
            raise GlanceError("Glance's answer is not an image") from error

    def find(self, environ: wsgi.Environ, image_id: str) -> Image | None:
        """Return an image as the caller sees it, ``None`` if there is none.

        :raises Refused: if Glance answers with another error than 404
        :raises GlanceError: if the answer is not an image
        """
        try:
            return self.show(environ, image_id)
        except Refused as refused:
            if refused.answer.code == 404:
                return None
            raise

    def images(self, environ: wsgi.Environ, query: str) -> Iterator[Image]:
        """Yield the images that the caller may list, page by page.

        :param query: of the first page
        :raises Refused: if the caller may not list images
        """
        path = "/v2/images"
        while path:
            page = _document(self._ask(environ, "GET", path, query=query))
            yield from map(image_from, page["images"])
            path, _, query = page.get("next", "").partition("?")

    def may_download(self, environ: wsgi.Environ, image: Image) -> bool:
        """Whether Glance would send the image's data to the caller.

        It sends a GET with a range behind the end of the image.  Glance runs all its
        checks, and answers 416 before it opens the store
        (``glance.api.v2.image_data``: ``ResponseSerializer.download``).
        """
        asked = wsgi.question(
            environ,
            "GET",
            f"/v2/images/{image.id}/file",
            query=environ.get("QUERY_STRING", ""),
            headers=[("Range", f"bytes={image.size}-")],
        )
        answer = wsgi.call(self._app, asked)
        answer.close()  # unread: if it is the image after all, it is long
        return answer.code == 416

    def locations(self, environ: wsgi.Environ, image_id: str) -> tuple[Location, ...]:
        """Return an image's locations, as Glance shows them to services.

        :raises Refused: if the caller is not a service, or there is no image
        :raises GlanceError: if the answer is not a list of locations
        """
        answer = self._ask(environ, "GET", f"/v2/images/{image_id}/locations")
        try:
            return _locations(_document(answer))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise GlanceError("Glance's answer is not a list of locations") from error

    def usage(self, environ: wsgi.Environ) -> Usage:
        """Return the caller's unified limits and usage.

        :raises Refused: if Glance answers with an error
        """
        found: Usage = _document(self._ask(environ, "GET", "/v2/info/usage"))["usage"]
        return found

    def stores(self, environ: wsgi.Environ) -> list[Mapping[str, str]] | None:
        """Return the stores that users see, ``None`` if Glance has a single one.

        :raises Refused: if Glance answers with another error than 404
        """
        answer = self._ask(environ, "GET", "/v2/info/stores")
        if answer.code == 404:
            return None
        found: list[Mapping[str, str]] = _document(answer)["stores"]
        return found

    def create(self, environ: wsgi.Environ, fields: Mapping[str, Any]) -> Image:
        """Create an image; return it.

        :raises Refused: if Glance does not
        :raises GlanceError: if the answer is not an image
        """
        answer = self._ask(
            environ,
            "POST",
            "/v2/images",
            body=json.dumps(fields).encode(),
            content_type="application/json",
        )
        if answer.code != 201:
            raise Refused(answer)
        try:
            return image_from(json.loads(answer.read()))
        except (ValueError, KeyError, TypeError) as error:
            raise GlanceError("Glance's answer is not an image") from error

    def patch(
        self, environ: wsgi.Environ, image_id: str, changes: list[dict[str, Any]]
    ) -> wsgi.Answer:
        """Change an image with a JSON patch; return the answer, read into memory."""
        return self._ask(
            environ,
            "PATCH",
            f"/v2/images/{image_id}",
            body=json.dumps(changes).encode(),
            content_type=_JSON_PATCH,
        )

    def _ask(
        self, environ: wsgi.Environ, method: str, path: str, **how: Any
    ) -> wsgi.Answer:
        """Send a request; return the answer with its body read.

        :raises GlanceError: if there is no answer
        """
        try:
            answer = wsgi.call(self._app, wsgi.question(environ, method, path, **how))
            return wsgi.Answer(answer.status, answer.headers, [answer.read()])
        except Exception as error:
            # Another project's app may raise anything: it did not answer.
            LOG.exception("Glance did not answer %s %s", method, path)
            raise GlanceError("Glance did not answer.") from error


def _document(answer: wsgi.Answer) -> Any:
    """Return the JSON document of an answer.

    :raises Refused: if the status is not 200
    """
    if answer.code != 200:
        raise Refused(answer)
    return json.loads(answer.read())


def image_from(shown: Mapping[str, Any]) -> Image:
    """Return the image in an answer of Glance.

    :raises KeyError: if it is none
    """
    return Image(
        id=shown["id"],
        status=shown["status"],
        size=shown.get("size"),
        checksum=shown.get("checksum") or "",
        os_hash_algo=shown.get("os_hash_algo") or "",
        os_hash_value=shown.get("os_hash_value") or "",
        locations=_locations(shown.get("locations") or []),
        properties=shown,
    )


def _locations(shown: list[Mapping[str, Any]]) -> tuple[Location, ...]:
    return tuple(
        Location(location["url"], location.get("metadata") or {}) for location in shown
    )

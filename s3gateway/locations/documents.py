# SPDX-License-Identifier: Apache-2.0
"""S3 location URIs in documents and texts become what users may see.

Pure functions of what is given; ``answers.py`` decides which answers get here.  URIs
of other schemes stay as they are: Nova and Cinder clone by them.

Locations of images are masked: the store and the image id stay.  What users wrote
comes back as they wrote it, but for S3 URIs with credentials in them, which nobody
writes and old releases of Glance repeat.  In what Glance says in its own words each
S3 URI becomes the same constant.  Neither depends on the stores that there are, so
that nobody can try out which host and bucket are right.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from urllib import parse

from s3gateway import uris
from s3gateway.config.stores import StoreSettings
from s3gateway.glance.image import VIRTUAL_SIZE
from s3gateway.glance.image import Location
from s3gateway.glance.image import store_of
from s3gateway.glance.marks import MARK

UNKNOWN = "unknown"

# A location URI inside of a text, plain or percent-encoded.  It ends where the
# text around it goes on: at a space, a quote or a bracket, escaped ones as well.
_URI = re.compile(
    r"""
    s3(?:(?:\+|%2B)https?)? (?::|%3A) (?:/|%2F){2}
    (?:(?!&(?:quot|apos|lt|gt|\#x27|\#0?39|\#0?34);)[^\s"'<>\\])+
    """,
    re.IGNORECASE | re.VERBOSE,
)

#: Returns a text as its reader may see it.
TextMask = Callable[[str], str]


@dataclasses.dataclass(frozen=True)
class Masks:
    """How location URIs are masked.

    :ivar stores: the configured S3 stores by identifier
    """

    stores: Mapping[str, StoreSettings]
    mask: uris.Mask

    def document(self, document: Any, *, show: bool, mask_text: TextMask) -> bool:
        """Mask a parsed JSON document in place; return whether anything changed.

        :param show: whether locations in S3 are shown at all
        :param mask_text: for all texts but the URLs of locations
        """
        changed = False
        if isinstance(document, list):
            changed = self._locations(document, "", show)
        for image in _images(document):
            changed = self._image(image, show) or changed
        nodes = [document]
        while nodes:  # not by recursion: a document may be nested deeper than a stack
            node = nodes.pop()
            for key, value in _members(node):
                if isinstance(value, str):
                    if _may_name_s3(value) and (masked := mask_text(value)) != value:
                        node[key], changed = masked, True
                elif isinstance(value, (dict, list)):
                    nodes.append(value)
        return changed

    def location(self, location: Location, image_id: str) -> str:
        """Return what users see in place of a location's URL."""
        if not uris.is_s3(location.url) or self.mask.parse(location.url):
            return location.url
        store = str(location.metadata.get("store") or "")
        if store not in self.stores:
            store = store_of(location, self.stores) or store
        if not image_id:
            uri = uris.try_parse(location.url)
            image_id = uris.image_id_of(uri.key) if uri else ""
        return self.mask.url(store or UNKNOWN, image_id or UNKNOWN)

    def text(self, text: str) -> str:
        """Return a text of Glance's own with no S3 location URI in it."""
        return _URI.sub(self._nameless, text) if _may_name_s3(text) else text

    def users_text(self, text: str) -> str:
        """Return a text that a user wrote, with no credentials of S3 in it."""
        if "@" not in text and "%40" not in text:
            return text
        return _URI.sub(
            lambda uri: self._nameless(uri) if _holds_user(uri[0]) else uri[0], text
        )

    def _nameless(self, uri: re.Match[str]) -> str:
        if self.mask.parse(uri[0]):
            return uri[0]
        return self.mask.url(UNKNOWN, UNKNOWN)

    def _image(self, image: dict[str, Any], show: bool) -> bool:
        """Mask what an image shows of its locations; return whether it changed."""
        changed = image.pop(MARK, None) is not None
        image_id = str(image.get("id") or "")
        found = image.get("locations")
        if isinstance(found, list):
            if image.get("virtual_size", 0) is None:
                image["virtual_size"] = _virtual_size(found)
                changed = changed or image["virtual_size"] is not None
            had_some = bool(found)
            changed = self._locations(found, image_id, show) or changed
            if had_some and not found:
                del image["locations"]
        direct_url = image.get("direct_url")
        if isinstance(direct_url, str) and uris.is_s3(direct_url):
            masked = self.location(Location(direct_url, {}), image_id)
            changed = changed or masked != direct_url
            image["direct_url"] = masked
            if not show:
                del image["direct_url"]
                changed = True
        return changed

    def _locations(self, found: list[Any], image_id: str, show: bool) -> bool:
        """Mask a list of locations; return whether it changed."""
        if not show and any(map(_in_s3, found)):
            found[:] = [location for location in found if not _in_s3(location)]
            return True
        changed = False
        for location in filter(_is_location, found):
            kept = Location(location["url"], dict(location["metadata"]))
            location["url"] = self.location(kept, image_id)
            hidden = location["metadata"].pop(VIRTUAL_SIZE, None)
            changed = changed or hidden is not None or location["url"] != kept.url
        return changed


def _images(document: Any) -> Iterator[dict[str, Any]]:
    """Yield what stands where Glance shows an image: alone, or in a list of them.

    The same anywhere else is a user's text, in a task for one.
    """
    if isinstance(document, dict):
        listed = document.get("images")
        for found in (document, *(listed if isinstance(listed, list) else ())):
            if isinstance(found, dict):
                yield found


def _members(node: Any) -> Iterator[tuple[Any, Any]]:
    """Return the keys and values of an object or a list."""
    if isinstance(node, dict):
        return iter(node.items())
    return enumerate(node) if isinstance(node, list) else iter(())


def _may_name_s3(text: str) -> bool:
    return "s3" in text or "S3" in text


def _holds_user(uri: str) -> bool:
    """Whether a URI has ``user:secret@`` in front of a host and a path.

    A secret key may hold a slash.  In front of the colon one ends the host or bucket.
    """
    user, separator, rest = parse.unquote(uri).partition("://")[2].rpartition("@")
    access_key, colon, _ = user.partition(":")
    return bool(separator and colon) and "/" not in access_key and "/" in rest


def _is_location(node: Any) -> bool:
    return (
        isinstance(node, dict)
        and isinstance(node.get("url"), str)
        and isinstance(node.get("metadata"), dict)
    )


def _in_s3(node: Any) -> bool:
    return _is_location(node) and uris.is_s3(node["url"])


def _virtual_size(locations: list[Any]) -> int | None:
    """Return the virtual size in bytes that is kept with an image's location."""
    for location in filter(_is_location, locations):
        size = str(location["metadata"].get(VIRTUAL_SIZE, ""))
        if size.isdecimal():
            return int(size)
    return None

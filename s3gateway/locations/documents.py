# SPDX-License-Identifier: Apache-2.0
"""Masks S3 location URIs in JSON documents and texts.

Pure functions; ``answers.py`` decides which answers get here.  URIs of other schemes do
not change: Nova and Cinder need them to clone.

* In the locations of an image, the masked URL names the store and the image id.
* Texts of users stay as they are, except S3 URIs with credentials: users do not write
  those, but old releases of Glance repeat them.
* In texts of Glance's own, every S3 URI becomes the same constant.

The last two do not depend on the configured stores.  So no user can find out by trial
which host and bucket are right.
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

# A location URI inside a text, plain or percent-encoded.  It ends at a space, a quote
# or a bracket, or at an escaped one.
_URI = re.compile(
    r"""
    s3(?:(?:\+|%2B)https?)? (?::|%3A) (?:/|%2F){2}
    (?:(?!&(?:quot|apos|lt|gt|\#x27|\#0?39|\#0?34);)[^\s"'<>\\])+
    """,
    re.IGNORECASE | re.VERBOSE,
)

#: Returns a text as the user may see it.
TextMask = Callable[[str], str]


@dataclasses.dataclass(frozen=True)
class Masks:
    """Masks location URIs.

    :ivar stores: the configured S3 stores by identifier
    """

    stores: Mapping[str, StoreSettings]
    mask: uris.Mask

    def document(self, document: Any, *, show: bool, mask_text: TextMask) -> bool:
        """Mask a parsed JSON document in place; return whether anything changed.

        :param show: whether the user sees S3 locations at all
        :param mask_text: masks all texts except the URLs of locations
        """
        changed = False
        if isinstance(document, list):
            changed = self._locations(document, "", show)
        for image in _images(document):
            changed = self._image(image, show) or changed
        nodes = [document]
        while nodes:  # a loop: nesting may be deeper than Python's stack
            node = nodes.pop()
            for key, value in _members(node):
                if isinstance(value, str):
                    if _may_name_s3(value) and (masked := mask_text(value)) != value:
                        node[key], changed = masked, True
                elif isinstance(value, (dict, list)):
                    nodes.append(value)
        return changed

    def location(self, location: Location, image_id: str) -> str:
        """Return the URL that users see in place of a location's."""
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
        """Return a text of Glance's own without S3 location URIs."""
        return _URI.sub(self._nameless, text) if _may_name_s3(text) else text

    def users_text(self, text: str) -> str:
        """Return a user's text without S3 credentials."""
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
        """Mask the locations in an image; return whether it changed."""
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
    """Yield the images in a document of Glance's: the document itself, or a list.

    The same structure elsewhere, such as in a task, is text of a user.
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
    """Whether a URI has ``user:secret@`` before a host and a path.

    A secret key may hold a slash.  Before the colon a slash ends the host or bucket.
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
    """Return the virtual size in bytes from the metadata of the locations."""
    for location in filter(_is_location, locations):
        size = str(location["metadata"].get(VIRTUAL_SIZE, ""))
        if size.isdecimal():
            return int(size)
    return None

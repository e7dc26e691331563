# SPDX-License-Identifier: Apache-2.0
"""S3 location URIs in documents and texts become what users may see.

Pure functions of what is given; ``masking.py`` decides which answers get here.
When in doubt a URI is masked.  URIs of other schemes stay as they are: Nova and
Cinder clone by them.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any
from urllib import parse

from s3gateway import uris
from s3gateway.config.stores import StoreSettings
from s3gateway.glance.image import VIRTUAL_SIZE
from s3gateway.glance.image import Location
from s3gateway.glance.image import store_of

UNKNOWN = "unknown"

# A location URI inside of a text, plain or percent-encoded.  It ends where the
# text around it goes on: at a space, a quote or a bracket, escaped ones as well.
_IN_TEXT = re.compile(
    r"""
    s3(?:(?:\+|%2B)https?)? (?::|%3A) (?:/|%2F){2}
    (?:(?!&(?:quot|apos|lt|gt|\#x27|\#0?39|\#0?34);)[^\s"'<>\\])+
    """,
    re.IGNORECASE | re.VERBOSE,
)


@dataclasses.dataclass(frozen=True)
class Masks:
    """How location URIs are masked.

    :ivar stores: the configured S3 stores by identifier
    """

    stores: Mapping[str, StoreSettings]
    mask: uris.Mask

    def document(self, node: Any, *, show: bool, image_id: str = "") -> Any:
        """Return a JSON document with every S3 location URI in it masked.

        :param show: whether locations in S3 are shown at all
        :param image_id: the image that the document is about, if that is known
        """
        if isinstance(node, str):
            return self.text(node, image_id=image_id)
        if isinstance(node, list):
            items = node if show else [item for item in node if not _in_s3(item)]
            return [self.document(item, show=show, image_id=image_id) for item in items]
        if not isinstance(node, dict):
            return node
        if _is_location(node):
            return self._location(node, image_id)
        return self._object(node, show, _id_of(node) or image_id)

    def location(self, location: Location, image_id: str) -> str:
        """Return what users see in place of a location's URL."""
        if not uris.is_s3(location.url):
            return location.url
        return self._uri(location.url, image_id, location.metadata)

    def text(self, text: str, *, image_id: str = "") -> str:
        """Return a text with every S3 location URI in it masked."""
        if not _may_name_s3(text):
            return text
        if uris.is_s3(text) and not re.search(r"\s", text):
            return self._uri(text, image_id, {})
        return _IN_TEXT.sub(lambda match: self._encoded(match[0], image_id), text)

    def _object(
        self, node: dict[str, Any], show: bool, image_id: str
    ) -> dict[str, Any]:
        masked = self._values(node, show, image_id)
        direct_url = str(node.get("direct_url", ""))
        if direct_url and not uris.is_s3(direct_url):
            masked["direct_url"] = direct_url
        if masked.get("virtual_size", 0) is None:
            masked["virtual_size"] = _virtual_size(node)
        if not show and uris.is_s3(direct_url):
            del masked["direct_url"]
        if not show and node.get("locations") and not masked["locations"]:
            del masked["locations"]
        return masked

    def _location(self, node: dict[str, Any], image_id: str) -> dict[str, Any]:
        metadata = {k: v for k, v in node["metadata"].items() if k != VIRTUAL_SIZE}
        url = node["url"]
        if uris.is_s3(url):
            url = self._uri(url, image_id, node["metadata"])
        others = {**node, "metadata": metadata, "url": None}
        return {**self._values(others, True, image_id), "url": url}

    def _values(
        self, node: dict[str, Any], show: bool, image_id: str
    ) -> dict[str, Any]:
        """Return a JSON object with each of its values masked.

        Most are short texts that name nothing; looking into them here saves a quarter
        of what a page of images costs.
        """
        masked = dict(node)
        for key, value in node.items():
            if not isinstance(value, str) or _may_name_s3(value):
                masked[key] = self.document(value, show=show, image_id=image_id)
        return masked

    def _encoded(self, text: str, image_id: str) -> str:
        if "://" in text:
            return self._uri(text, image_id, {})
        masked = self._uri(parse.unquote(text), image_id, {})
        return parse.quote(masked, safe="")

    def _uri(self, url: str, image_id: str, metadata: Mapping[str, Any]) -> str:
        if self.mask.parse(url):
            return url
        store = str(metadata.get("store") or "")
        if store not in self.stores:
            store = store_of(Location(url, metadata), self.stores) or store
        if not image_id:
            uri = uris.try_parse(url)
            image_id = uris.image_id_of(uri.key) if uri else ""
        return self.mask.url(store or UNKNOWN, image_id or UNKNOWN)


def _may_name_s3(text: str) -> bool:
    return "s3" in text or "S3" in text


def _is_location(node: Mapping[str, Any]) -> bool:
    return isinstance(node.get("url"), str) and isinstance(node.get("metadata"), dict)


def _in_s3(node: Any) -> bool:
    return isinstance(node, dict) and _is_location(node) and uris.is_s3(node["url"])


def _id_of(node: Mapping[str, Any]) -> str:
    """Return the id of the image that a JSON object shows, if it shows one."""
    is_image = "locations" in node or "direct_url" in node
    return str(node.get("id") or "") if is_image else ""


def _virtual_size(image: Mapping[str, Any]) -> int | None:
    """Return the virtual size in bytes that is kept with an image's location."""
    for location in image.get("locations") or []:
        size = str((location.get("metadata") or {}).get(VIRTUAL_SIZE, ""))
        if size.isdecimal():
            return int(size)
    return None

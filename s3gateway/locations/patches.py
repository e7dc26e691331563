# SPDX-License-Identifier: Apache-2.0
"""JSON patches of images, parsed as Glance parses them.

Pure functions that follow ``glance.api.v2.images.RequestDeserializer``.  The media type
says which members of an operation Glance reads.  The gateway drops all others, so that
Glance gets nothing that the gateway has not checked.
"""

from __future__ import annotations

import dataclasses
from typing import Any

_OPERATIONS = ("add", "remove", "replace")

_OLD = "application/openstack-images-v2.0-json-patch"
_NEW = "application/openstack-images-v2.1-json-patch"

#: The members of an operation that Glance reads, by the patch's media type:
#: ``{"add": "/locations/-", "value": ...}`` in the older one and
#: ``{"op": "add", "path": "/locations/-", "value": ...}`` in the newer one.
MEMBERS = {
    _OLD: (*_OPERATIONS, "value"),
    _NEW: ("op", "path", "value"),
}


@dataclasses.dataclass(frozen=True)
class Write:
    """One operation that writes an image's locations.

    :ivar operation: ``add``, ``remove`` or ``replace``
    :ivar change: the object that has the locations under ``value``
    """

    operation: str
    change: dict[str, Any]

    @property
    def locations(self) -> list[Any]:
        """The locations that it writes, as objects of the document."""
        if self.operation == "remove":
            return []
        value = self.change.get("value")
        return value if isinstance(value, list) else [value]

    @property
    def is_understood(self) -> bool:
        """Whether each location is an object with a URL and perhaps metadata."""
        return all(
            isinstance(location, dict)
            and isinstance(location.get("url"), str)
            and isinstance(location.get("metadata", {}), dict)
            for location in self.locations
        )


def read(document: Any, media_type: str) -> Any:
    """Return a patch with only the members that Glance reads.

    It ends with the first invalid operation, which Glance refuses.  A document that is
    no patch is returned unchanged, for Glance to refuse.
    """
    if not isinstance(document, list):
        return document
    members = MEMBERS[media_type]
    found: list[Any] = []
    for change in document:
        if not isinstance(change, dict):
            return [*found, change]
        found.append({name: change[name] for name in members if name in change})
        if not any(name in change for _, name in _pointers(change, media_type)):
            break
    return found


def location_writes(patch: Any, media_type: str) -> list[Write]:
    """Return the operations of a patch that write locations.

    Their JSON pointers are rewritten in canonical form.
    """
    if not isinstance(patch, list):
        return []
    found: list[Any] = []
    for change in patch:
        if isinstance(change, dict):
            for operation, member in _pointers(change, media_type):
                tokens = _tokens(change.get(member))
                if tokens[:1] == ["locations"]:
                    change[member] = "/" + "/".join(map(_escaped, tokens))
                    found.append(Write(operation, change))
    return found


def _pointers(change: dict[str, Any], media_type: str) -> list[tuple[str, str]]:
    """Return the operations of a change, each with the member of its pointer."""
    if media_type == _OLD:
        return [(name, name) for name in _OPERATIONS if name in change]
    return [(name, "path") for name in _OPERATIONS if change.get("op") == name]


def _tokens(pointer: Any) -> list[str]:
    """Return the tokens of a JSON pointer, decoded as Glance does it."""
    if not isinstance(pointer, str):
        return []
    parts = pointer.lstrip("/").split("/")
    return [part.replace("~1", "/").replace("~0", "~").strip() for part in parts]


def _escaped(token: str) -> str:
    return token.replace("~", "~0").replace("/", "~1")

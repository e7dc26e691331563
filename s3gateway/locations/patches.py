# SPDX-License-Identifier: Apache-2.0
"""The locations that a request body writes, found as Glance would find them.

Pure functions after ``glance.api.v2.images.RequestDeserializer``: JSON patches in
both of the forms it knows, and the body of ``POST /v2/images/{id}/locations``.
"""

from __future__ import annotations

import dataclasses
from typing import Any

_OPERATIONS = ("add", "replace", "remove")


@dataclasses.dataclass(frozen=True)
class Write:
    """One operation on an image's locations.

    :ivar operation: ``add``, ``replace`` or ``remove``
    :ivar locations: the location objects in the body, each with a ``url``
    """

    operation: str
    locations: list[dict[str, Any]]


def find(document: Any) -> list[Write]:
    """Return what a body writes; bodies that Glance refuses may write anything."""
    if isinstance(document, dict):
        return [Write("add", _locations(document))] if "url" in document else []
    if not isinstance(document, list):
        return []
    found = [_of_change(change) for change in document if isinstance(change, dict)]
    return [write for write in found if write is not None]


def _of_change(change: dict[str, Any]) -> Write | None:
    """Return what one change of a patch writes, ``None`` if it is not a location.

    The newer form is ``{"op": "add", "path": "/locations/-", "value": ...}``, the
    older one ``{"add": "/locations/-", "value": ...}``.
    """
    pointers = {name: change[name] for name in _OPERATIONS if name in change}
    if change.get("op") in _OPERATIONS:
        pointers[change["op"]] = change.get("path")
    for operation, pointer in pointers.items():
        if isinstance(pointer, str) and _root(pointer) == "locations":
            return Write(operation, _locations(change.get("value")))
    return None


def _root(pointer: str) -> str:
    """Return the first name in a JSON pointer, as Glance decodes it."""
    name = pointer.lstrip("/").split("/")[0]
    return name.replace("~1", "/").replace("~0", "~").strip()


def _locations(value: Any) -> list[dict[str, Any]]:
    values = value if isinstance(value, list) else [value]
    return [
        item
        for item in values
        if isinstance(item, dict) and isinstance(item.get("url"), str)
    ]

# SPDX-License-Identifier: Apache-2.0
"""Paths of Glance's API: which image a request is about.

They follow ``glance.api.v2.router``.  Paths are canonical, see ``http/canonical.py``.
"""

from __future__ import annotations

import re

_IMAGE = re.compile(r"/v2/images/([^/]+)")
_FILE = re.compile(r"/v2/images/([^/]+)/file")
_STAGE = re.compile(r"/v2/images/([^/]+)/stage")
_DEACTIVATION = re.compile(r"/v2/images/([^/]+)/actions/deactivate")
_IMPORT = re.compile(r"/v2/images/([^/]+)/import")
_LOCATIONS = re.compile(r"/v2/images/([^/]+)/locations")
_COPY = re.compile(r"/v2/stores/[^/]+/([^/]+)")

#: Glance's policy rule ``stores_info_detail`` gives it to admins.
STORE_DETAILS = "/v2/info/stores/detail"


def image(path: str) -> str | None:
    """Return the image id of ``/v2/images/{id}``, ``None`` for others."""
    return _id(_IMAGE, path)


def image_of_file(path: str) -> str | None:
    """Return the image id of ``/v2/images/{id}/file``, ``None`` for others."""
    return _id(_FILE, path)


def image_of_import(method: str, path: str) -> str | None:
    """Return the image id of a request to stage or import data, ``None`` for others."""
    pattern = {"PUT": _STAGE, "POST": _IMPORT}.get(method)
    return _id(pattern, path) if pattern else None


def sends_data(method: str, path: str) -> bool:
    """Whether a request uploads or stages an image's data."""
    return method == "PUT" and any(p.fullmatch(path) for p in (_FILE, _STAGE))


def withdrawn(method: str, path: str) -> str | None:
    """Return the image id of a request that takes data of the image from everybody.

    It deletes or deactivates the image, or deletes its copy in a store.
    """
    if method == "POST":
        return _id(_DEACTIVATION, path)
    return _id(_IMAGE, path) or _id(_COPY, path) if method == "DELETE" else None


def image_of_locations(path: str) -> str | None:
    """Return the image id of ``/v2/images/{id}/locations``, ``None`` for others."""
    return _id(_LOCATIONS, path)


def names_locations(path: str) -> bool:
    """Whether a path below ``images`` names locations, in any spelling."""
    segments = [segment.strip().lower() for segment in path.split("/")]
    return "images" in segments and any("locations" in each for each in segments)


def shows_store_details(method: str, path: str) -> bool:
    """Whether Glance answers a request with 200 to admins alone."""
    return method == "GET" and path == STORE_DETAILS


def names_tasks(path: str) -> bool:
    """Whether a path names tasks, of an image or of all."""
    return "tasks" in path.split("/")


def _id(pattern: re.Pattern[str], path: str) -> str | None:
    match = pattern.fullmatch(path)
    return match.group(1) if match else None

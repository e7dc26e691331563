# SPDX-License-Identifier: Apache-2.0
"""Which requests are ours, by method and path alone.

Follows Glance's routing: ``paste.urlmap`` folds repeated slashes before it
looks for ``/v2``, and ``glance.api.v2.router`` matches the rest as it stands.
"""

from __future__ import annotations

import re

_SLASHES = re.compile(r"//+")
_IMAGE_FILE = re.compile(r"/v2/images/([^/]+)/file")


_LOCATION_WRITES = {
    "PATCH": re.compile(r"/v2/images/([^/]+)"),
    "POST": re.compile(r"/v2/images/([^/]+)/locations"),
}


def image_of_location_write(method: str, path: str) -> str | None:
    """Return the image id of a request that may write locations, else ``None``.

    An image cannot be created with locations: Glance refuses that itself.
    """
    pattern = _LOCATION_WRITES.get(method)
    match = pattern.fullmatch(_SLASHES.sub("/", path)) if pattern else None
    return match.group(1) if match else None


def image_of_file(path: str) -> str | None:
    """Return the image id of ``/v2/images/{id}/file``, ``None`` for others.

    :param path: the request's ``PATH_INFO``
    """
    match = _IMAGE_FILE.fullmatch(_SLASHES.sub("/", path))
    return match.group(1) if match else None

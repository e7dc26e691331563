# SPDX-License-Identifier: Apache-2.0
"""Finds the configuration files that come with the gateway."""

from __future__ import annotations

import pathlib
import sys

_SOURCE = pathlib.Path(__file__).resolve().parents[2]

#: The operator's own files come first.
PLACES = (
    pathlib.Path("/etc/s3gateway"),
    pathlib.Path(sys.prefix, "etc", "s3gateway"),
    _SOURCE / "etc",  # of an editable install
)


def find(name: str) -> pathlib.Path | None:
    """Return the path of a file, ``None`` if there is none.

    :param name: relative to ``/etc/s3gateway``
    """
    found = (place / name for place in PLACES)
    return next((path for path in found if path.is_file()), None)

# SPDX-License-Identifier: Apache-2.0
"""Where the configuration files are that come with the gateway."""

from __future__ import annotations

import pathlib
import sys

_SOURCE = pathlib.Path(__file__).resolve().parents[2]

#: The operator's own come first.
PLACES = (
    pathlib.Path("/etc/s3gateway"),
    pathlib.Path(sys.prefix, "etc", "s3gateway"),
    _SOURCE / "etc",  # of an editable install
)


def find(name: str) -> pathlib.Path | None:
    """Return where a file is, ``None`` if it is nowhere.

    :param name: relative to ``/etc/s3gateway``
    """
    found = (place / name for place in PLACES)
    return next((path for path in found if path.is_file()), None)

# SPDX-License-Identifier: Apache-2.0
"""The version of the gateway that runs, as operators are told it.

The header is in answers that Glance gives to admins alone, so that nobody else learns
which faults a gateway may have.  The metric is on an address that tenants do not reach.
"""

from __future__ import annotations

from importlib import metadata

#: Of an answer to ``GET /v2/info/stores/detail``.
HEADER = "S3gateway-Version"

_UNKNOWN = "unknown"


def installed() -> str:
    """Return the version of the package, ``unknown`` of a bare source tree."""
    try:
        return metadata.version("s3gateway")
    except metadata.PackageNotFoundError:
        return _UNKNOWN


#: Of the code that this process has loaded: an upgrade changes it with a restart only.
RUNNING = installed()

# SPDX-License-Identifier: Apache-2.0
"""Every configuration option that the gateway declares, and which ones are its own.

Only declarations live here.  ``settings``, ``stores`` and ``remote`` read and check the
values.
"""

from __future__ import annotations

from oslo_config import cfg

from s3gateway.config.options.gateway import MAIN_OPTS
from s3gateway.config.options.standalone import FACE_OPTS
from s3gateway.config.options.standalone import REMOTE_OPTS
from s3gateway.config.options.standalone import SERVICE_USER_OPTS
from s3gateway.config.options.stores import OWN_STORE_OPTS
from s3gateway.config.options.transfers import TRANSFER_OPTS

GROUP = "s3gateway"
SERVICE_USER = "service_user"
BACKEND_DEFAULTS = "backend_defaults"

#: The options of ``[s3gateway]`` that a filter reads.
GATEWAY_OPTS = [*MAIN_OPTS, *FACE_OPTS, *TRANSFER_OPTS]


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Return the gateway's own options by section, for ``oslo-config-generator``."""
    return [
        (GROUP, [*GATEWAY_OPTS, *REMOTE_OPTS]),
        (SERVICE_USER, SERVICE_USER_OPTS),
        (BACKEND_DEFAULTS, OWN_STORE_OPTS),
    ]

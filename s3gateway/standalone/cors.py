# SPDX-License-Identifier: Apache-2.0
"""The filter ``cors`` of a stand-alone gateway: oslo.middleware's, with our options.

oslo.middleware's own factory would parse one file again, without the drop-in directory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from oslo_config import cfg
from oslo_middleware import cors

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def filter_factory(
    global_conf: dict[str, str], **local_conf: str
) -> Callable[[WSGIApplication], cors.CORS]:
    """Make the filter from the options that this process has read."""
    return lambda app: cors.CORS(app, cfg.CONF)

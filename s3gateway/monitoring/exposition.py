# SPDX-License-Identifier: Apache-2.0
"""The metrics over HTTP: an app of its own, which no paste file holds by default.

Tenants must not see it.  It answers whom ``allowed_source_ranges`` names, by default
this host alone, and nobody whose request came through a proxy: behind one that runs
on this host every tenant would seem to be local.  The names and the meaning of both
options are those of oslo.middleware's healthcheck.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import TYPE_CHECKING

from oslo_log import log as logging
from oslo_utils import strutils

from s3gateway.http.wsgi import Environ
from s3gateway.monitoring import metrics

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

LOG = logging.getLogger(__name__)

_LOCAL = "127.0.0.1/32,::1/128"

# One of them is set by every proxy; X-Forwarded-Proto is Glance's own advice.
_PROXIED = (
    "HTTP_FORWARDED",
    "HTTP_VIA",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_REAL_IP",
)


class Exposition:
    """A WSGI app that shows the metrics, and does not exist for strangers.

    :param sources: networks, as ``192.0.2.0/24``
    """

    def __init__(self, sources: Iterable[str], *, ignore_proxied: bool) -> None:
        self._sources = [ipaddress.ip_network(source) for source in sources]
        self._ignore_proxied = ignore_proxied

    def __call__(
        self, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        if not self._may_see(environ):
            LOG.info("Metrics refused to %s", environ.get("REMOTE_ADDR", "a socket"))
            start_response("404 Not Found", [("Content-Length", "0")])
            return []
        text = metrics.text()
        headers = [
            ("Content-Type", metrics.CONTENT_TYPE),
            ("Content-Length", str(len(text))),
        ]
        start_response("200 OK", headers)
        return [text]

    def _may_see(self, environ: Environ) -> bool:
        if self._ignore_proxied and any(name in environ for name in _PROXIED):
            return False
        try:
            sender = ipaddress.ip_address(environ.get("REMOTE_ADDR", ""))
        except ValueError:  # a socket of the file system, or nobody says
            return False
        return any(sender in network for network in self._sources)


def app_factory(global_conf: dict[str, str], **local_conf: str) -> Exposition:
    """Make the app for a paste file.

    :param local_conf: ``allowed_source_ranges``, networks with commas between them;
        ``ignore_proxied_requests``, true by default
    """
    sources = local_conf.get("allowed_source_ranges", _LOCAL).split(",")
    ignored = local_conf.get("ignore_proxied_requests", "true")
    return Exposition(
        [source.strip() for source in sources],
        ignore_proxied=strutils.bool_from_string(ignored, strict=True),
    )

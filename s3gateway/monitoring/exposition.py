# SPDX-License-Identifier: Apache-2.0
"""GET of the metrics: a WSGI app that no paste file has by default.

Users must not see the metrics.  By default the app answers this host only;
``allowed_source_ranges`` allows other networks.  It refuses proxied requests: behind a
proxy on this host every user would seem to be local.  Both options have the names and
meanings of oslo.middleware's healthcheck.
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

# Every proxy sets one of them; Glance's documentation advises X-Forwarded-Proto.
_PROXIED = (
    "HTTP_FORWARDED",
    "HTTP_VIA",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_REAL_IP",
)


class Exposition:
    """A WSGI app that shows the metrics, and answers 404 to all other senders.

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
        except ValueError:  # a Unix socket, or no address
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

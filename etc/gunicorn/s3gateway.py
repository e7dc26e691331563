# SPDX-License-Identifier: Apache-2.0
"""How gunicorn serves the stand-alone gateway.

Options on the command line come first: ``s3gateway-api --workers 4``.
"""

import os
import pathlib

bind = "0.0.0.0:9292"
# gthread, but it closes connections whose TLS handshake or request does not come, and
# refuses new ones as soon as it stops.  s3gateway-api uses it without this line, too.
worker_class = "s3gateway.standalone.worker.Worker"
workers = min(os.cpu_count() or 1, 8)

# Transfers at once in each worker.  A waiting thread costs almost nothing.  Options of
# [s3gateway] limit the memory of transfers.
threads = 64

# How long running transfers may go on after SIGTERM, in seconds.  TimeoutStopSec in
# s3gateway-api.service must be longer than this.  During this time new connections are
# refused, so that a load balancer sends their requests to another gateway.
graceful_timeout = 300

# gunicorn kills a worker whose main thread is stuck; long transfers do not count.
timeout = 120
_MEMORY = pathlib.Path("/dev/shm")  # noqa: S108  as gunicorn advises
worker_tmp_dir = str(_MEMORY) if _MEMORY.is_dir() else None

# Longer than the proxy in front keeps idle connections, so that the proxy closes them.
keepalive = 75

# Keystone tokens can be long.
limit_request_field_size = 16380

# X-Forwarded-* headers are handled by [oslo_middleware] enable_proxy_headers_parsing in
# s3gateway.conf.
secure_scheme_headers = {}
forwarder_headers = ""

# By default all gunicorns of a user share one file.
control_socket_disable = True

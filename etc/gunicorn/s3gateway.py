# SPDX-License-Identifier: Apache-2.0
"""How gunicorn serves the stand-alone gateway.

Options on the command line come first: ``s3gateway-api --workers 4``.
"""

import os
import pathlib

bind = "0.0.0.0:9292"
worker_class = "gthread"
workers = min(os.cpu_count() or 1, 8)

# Transfers at once in each worker.  A waiting thread costs next to nothing; the
# memory that transfers use is bounded by options of [s3gateway].
threads = 64

# How long running transfers may go on after SIGTERM, in seconds.  Whoever stops the
# service must have more patience, see TimeoutStopSec in s3gateway-api.service.
# gunicorn answers no new connections meanwhile but does not refuse them either: let
# the proxy in front know first, touch /etc/s3gateway/healthcheck_disable.
graceful_timeout = 300

# A worker whose main thread is stuck is killed; transfers do not count.
timeout = 120
_MEMORY = pathlib.Path("/dev/shm")  # noqa: S108  as gunicorn advises
worker_tmp_dir = str(_MEMORY) if _MEMORY.is_dir() else None

# Longer than the proxy in front keeps idle connections, so that it is the one that
# closes them.
keepalive = 75

# Keystone tokens can be long.
limit_request_field_size = 16380

# Whom to believe about X-Forwarded-* fields is said in s3gateway.conf alone, by
# [oslo_middleware] enable_proxy_headers_parsing.
secure_scheme_headers = {}
forwarder_headers = ""

# Its default is one file for all gunicorns of a user.
control_socket_disable = True

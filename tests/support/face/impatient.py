# SPDX-License-Identifier: Apache-2.0
"""The gateway's gunicorn worker, in a hurry: tests need not wait so long."""

from __future__ import annotations

from s3gateway.standalone.worker import Worker


class Impatient(Worker):
    """Waits shorter than gunicorn does for the first byte."""

    patience, hurry = 4.0, 2.0

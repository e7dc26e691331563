# SPDX-License-Identifier: Apache-2.0
"""``s3gateway-api``: the stand-alone gateway under gunicorn."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from typing import Any

from gunicorn.app.wsgiapp import WSGIApplication

from s3gateway.standalone import files

#: There is no other log before gunicorn runs.
LOG = logging.getLogger(__name__)

_GUNICORN = "gunicorn/s3gateway.py"
_APP = "s3gateway.standalone.app:application"
_WORKER = "s3gateway.standalone.worker.Worker"


class Served(WSGIApplication):  # type: ignore[misc]  # gunicorn has no types
    """The gateway under gunicorn.

    An operator's own configuration file of gunicorn says what is to be different from
    the shipped one, which also guards the gateway: it turns gunicorn's own handling of
    forwarded fields off, say.
    """

    def load_default_config(self) -> None:
        """Make the gateway's worker class gunicorn's default."""
        super().load_default_config()
        self.cfg.set("worker_class", _WORKER)

    def load_config_from_file(self, filename: str) -> Any:
        """Read a configuration file over the shipped one."""
        shipped = files.find(_GUNICORN)
        if shipped is not None and str(shipped) != filename:
            super().load_config_from_file(str(shipped))
        return super().load_config_from_file(filename)

    def load_config(self) -> None:
        """Read what gunicorn reads; say if that names another class."""
        super().load_config()
        chosen = self.cfg.worker_class_str
        if chosen not in (_WORKER, _WORKER.rpartition(".")[2]):
            LOG.warning(
                "gunicorn's worker_class is %(chosen)s, which waits without end for "
                "slow requests, and lets clients wait while it stops: leave "
                "worker_class out, or set it to %(ours)s",
                {"chosen": chosen, "ours": _WORKER},
            )


def main() -> None:
    """Serve until stopped; all other arguments are gunicorn's."""
    parser = argparse.ArgumentParser(
        description=main.__doc__, allow_abbrev=False, add_help=True
    )
    parser.add_argument(
        "--config-file", help="configuration file; default: $S3GATEWAY_CONFIG"
    )
    ours, arguments = parser.parse_known_args()
    if ours.config_file:
        os.environ["S3GATEWAY_CONFIG"] = ours.config_file
    if found := files.find(_GUNICORN):
        arguments = [f"--config={found}", *arguments]
    sys.argv = ["gunicorn", *arguments, _APP]
    Served("%(prog)s [OPTIONS]", prog="s3gateway-api").run()

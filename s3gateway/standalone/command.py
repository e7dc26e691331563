# SPDX-License-Identifier: Apache-2.0
"""``s3gateway-api``: the stand-alone gateway under gunicorn."""

from __future__ import annotations

import argparse
import os
import sys

from gunicorn.app.wsgiapp import WSGIApplication

from s3gateway.standalone import files

_GUNICORN = "gunicorn/s3gateway.py"
_APP = "s3gateway.standalone.app:application"


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
    WSGIApplication("%(prog)s [OPTIONS]", prog="s3gateway-api").run()

# SPDX-License-Identifier: Apache-2.0
"""The operator's command: ``s3gateway-manage``.

``main`` reads the command line, ``operator`` is the way to Glance, ``output`` says
what was found, and each other module is one command.
"""

from s3gateway.manage.main import main

__all__ = ["main"]

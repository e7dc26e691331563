# SPDX-License-Identifier: Apache-2.0
"""The operator's command: ``s3gateway-manage``.

``main`` runs it, ``commands`` lists the commands, and each command declares its
arguments in its own module by ``arguments``.  ``context`` is what a command works with,
``operator`` the way to Glance, ``output`` what is printed.  ``selection`` and ``work``
are for commands that go through many images.
"""

from s3gateway.manage.main import main

__all__ = ["main"]

# SPDX-License-Identifier: Apache-2.0
"""On whose behalf Glance is asked."""

from __future__ import annotations

import copy

from s3gateway.http.wsgi import CONTEXT
from s3gateway.http.wsgi import Environ


def caller(environ: Environ) -> Environ:
    """Return the request as it is: on behalf of its sender."""
    return environ


def admin_in_glance(environ: Environ) -> Environ:
    """Return the request on behalf of an admin, inside Glance's own pipeline.

    Behind Glance's context filter a request's rights are those of the context that
    it carries; this is the sender's with the admin role, as Glance's own
    ``elevated()`` makes it.
    """
    attributes = dict(environ[CONTEXT])
    context = copy.copy(attributes["context"])
    context.roles = [*context.roles, "admin"]
    context.is_admin = True
    attributes["context"] = context
    return {**environ, CONTEXT: attributes}

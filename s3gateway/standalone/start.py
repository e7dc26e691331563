# SPDX-License-Identifier: Apache-2.0
"""Start of a stand-alone gateway: a check of its stores."""

from __future__ import annotations

from collections.abc import Mapping

import webob
from oslo_log import log as logging

from s3gateway.config.settings import Settings
from s3gateway.errors import ConfigError
from s3gateway.errors import GlanceError
from s3gateway.glance.api import Glance
from s3gateway.glance.api import Refused
from s3gateway.glance.identity import ServiceUser

LOG = logging.getLogger(__name__)


def check_stores(glance: Glance, user: ServiceUser | None, settings: Settings) -> None:
    """Compare the configured stores with Glance's.

    Without ``[service_user]``, or while Glance is down, the check is skipped.

    :raises ConfigError: if Glance lacks one, or has another default
    """
    if user is None:
        LOG.info("The stores are not compared with Glance's: no [service_user]")
        return
    try:
        environ = user.itself(dict(webob.Request.blank("/").environ))
        shown = glance.stores(environ)
    except (GlanceError, Refused) as error:
        LOG.warning("The stores could not be compared with Glance's: %s", error)
        return
    if found := differences(shown, settings):
        raise ConfigError("DEFAULT", "enabled_backends", "; ".join(found))


def differences(shown: list[Mapping[str, str]] | None, settings: Settings) -> list[str]:
    """Return the differences between the configured stores and Glance's.

    :param shown: the stores in ``/v2/info/stores``, ``None`` for a single one
    """
    if shown is None:
        return ["Glance has a single store without a name"] * settings.multi_store
    if not settings.multi_store:
        return ["not set, but Glance has several stores"] * bool(settings.stores)
    known = [store["id"] for store in shown]
    found = [
        f"Glance does not know the store {name!r}, it has {', '.join(known)}"
        for name in settings.stores
        if name not in known
    ]
    default = [store["id"] for store in shown if store.get("default")]
    if default and default != [settings.default_store]:
        found.append(
            f"the default is {settings.default_store!r} here and {default[0]!r} in "
            "Glance"
        )
    return found

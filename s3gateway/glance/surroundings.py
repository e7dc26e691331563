# SPDX-License-Identifier: Apache-2.0
"""What differs between a filter in Glance and a gateway of its own."""

from __future__ import annotations

import dataclasses

from oslo_log import log as logging

from s3gateway.config import options
from s3gateway.config.remote import RemoteSettings
from s3gateway.config.settings import Settings
from s3gateway.errors import ConfigError
from s3gateway.glance import identity
from s3gateway.glance import releases
from s3gateway.glance.identity import Identity
from s3gateway.glance.identity import ServiceUser
from s3gateway.glance.inside import Inside
from s3gateway.glance.releases import Traits
from s3gateway.glance.relied_on import Unfit

LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What surrounds a gateway.

    :ivar identity: turns a request into one of who registers
    :ivar as_service: turns it into one of a service, ``None`` if the gateway is none
    :ivar inside: the Glance in this process, ``None`` if its API is to be asked
    """

    traits: Traits
    identity: Identity
    as_service: Identity | None = None
    inside: Inside | None = None


def in_glance(settings: Settings) -> Surroundings:
    """Return what surrounds a filter in Glance's own pipeline."""
    as_service = settings.register_as == "service"
    return Surroundings(
        traits=releases.installed(),
        identity=identity.admin_in_glance if as_service else identity.caller,
        inside=_inside(settings),
    )


def _inside(settings: Settings) -> Inside | None:
    """Return the Glance in this process, ``None`` if its API is to be asked."""
    if settings.registration == "api":
        LOG.info("Uploads are registered through Glance's API, as configured")
        return None
    try:
        inside = Inside()
        LOG.info("Uploads are taken by Glance's own code")
        return inside
    except Unfit as unfit:
        LOG.log(
            logging.WARNING if unfit.is_here else logging.INFO,
            "Uploads are registered through Glance's API: %s",
            unfit,
        )
        return None


def before_glance(
    remote: RemoteSettings, user: ServiceUser | None, settings: Settings
) -> Surroundings:
    """Return what surrounds a gateway of its own.

    :raises ConfigError: if it is to register itself and has no user
    """
    if settings.register_as == "service" and user is None:
        raise ConfigError(
            options.GROUP,
            "register_as",
            "service needs a user; add the section [service_user]",
        )
    if user is not None and settings.register_as == "service":
        whose = user.itself
    elif user is not None and user.vouches:
        whose = user.beside_caller
    else:
        whose = identity.caller
    return Surroundings(
        traits=releases.of_release(remote.release),
        identity=whose,
        as_service=None if user is None else user.as_service,
    )


def need_keys_for_locations(settings: Settings, traits: Traits) -> None:
    """Refuse a chain alone where Glance reads with the keys in its locations.

    Those of a chain expire, and Glance has no session token.

    :raises ConfigError: naming the store
    """
    for store in settings.stores.values():
        if traits.credentials_in_uris and not store.location_keys.access_key:
            raise ConfigError(
                store.name,
                "s3_store_access_key",
                "not set, and s3_store_credentials = chain does not replace it here: "
                "Glance before 33 reads and deletes images with the keys in their "
                "locations. Set it and s3_store_secret_key to keys for Glance",
            )


def report_chains(settings: Settings) -> None:
    """Warn of what stock Glance cannot do, in whose process the gateway is."""
    for store in settings.stores.values():
        if not store.location_keys.access_key:
            LOG.warning(
                "Store %s has s3_store_credentials = chain and no s3_store_access_key: "
                "uploads and downloads are the gateway's and work, but Glance itself "
                "leaves such a store out. Imports, copies and web-download fail, and "
                "deletes leave the data in S3. Set keys for Glance, or let the gateway "
                "stand alone",
                store.name,
            )

# SPDX-License-Identifier: Apache-2.0
"""Paste factories: the only module that builds the gateway out of its parts."""

from __future__ import annotations

import dataclasses
import functools
import gc
from collections.abc import Callable
from typing import TYPE_CHECKING

from oslo_config import cfg
from oslo_log import log as logging

from s3gateway.config import options
from s3gateway.config import remote as remote_glance
from s3gateway.config import settings as gateway_settings
from s3gateway.config import sources
from s3gateway.config.keys import KeyPair
from s3gateway.config.settings import Settings
from s3gateway.download.handler import Downloads
from s3gateway.download.handler import Images
from s3gateway.errors import ConfigError
from s3gateway.face.app import Face
from s3gateway.gateway import Gateway
from s3gateway.glance import identity
from s3gateway.glance import notifications
from s3gateway.glance import surroundings
from s3gateway.glance.api import Glance
from s3gateway.glance.inside import Inside
from s3gateway.glance.inside import Reading
from s3gateway.glance.notifications import Notifications
from s3gateway.glance.policy import Rules
from s3gateway.glance.registration import Registrar
from s3gateway.glance.service_locations import ServiceLocations
from s3gateway.glance.surroundings import Surroundings
from s3gateway.http import servers
from s3gateway.http.wsgi import Environ
from s3gateway.locations.answers import Masking
from s3gateway.locations.documents import Masks
from s3gateway.locations.redaction import Sweep
from s3gateway.locations.requests import Guard
from s3gateway.monitoring import metrics
from s3gateway.s3.store import S3Store
from s3gateway.standalone import start
from s3gateway.standalone.upstream import Upstream
from s3gateway.standalone.versions import Versions
from s3gateway.streams.limits import Limits
from s3gateway.upload.admission import Admission
from s3gateway.upload.exclusion import Claims
from s3gateway.upload.in_glance import UploadsInGlance
from s3gateway.upload.inspection import Inspection
from s3gateway.upload.reception import Reception
from s3gateway.upload.through_api import Uploads
from s3gateway.upload.written import Written

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

LOG = logging.getLogger(__name__)

#: The front and the face of a gateway are two apps of one process.
WRITTEN = Written()


def filter_factory(
    global_conf: dict[str, str], **local_conf: str
) -> Callable[[WSGIApplication], WSGIApplication]:
    """Make the filter for ``glance-api-paste.ini``.

    A stand-alone gateway has the same filter, in front of ``upstream``.

    :param local_conf: ``config_file`` names Glance's configuration, by default the
        one that Glance itself reads
    :raises ConfigError: if a store cannot be used
    """
    conf = _parse(local_conf)
    settings = gateway_settings.read(conf)
    _report(settings)
    remote = remote_glance.read(conf)
    if remote is None:
        surroundings.report_chains(settings)
        return lambda app: build(app, conf, settings, surroundings.in_glance(settings))
    user = identity.read(conf)
    before = surroundings.before_glance(remote, user, settings)

    def standing_alone(app: WSGIApplication) -> WSGIApplication:
        start.check_stores(Glance(app), user, settings)
        return Versions(build(app, conf, settings, before), app)

    return standing_alone


def app_factory(global_conf: dict[str, str], **local_conf: str) -> Upstream:
    """Make the app at the end of a stand-alone gateway's pipeline.

    :param local_conf: as for ``filter_factory``
    :raises ConfigError: if ``glance_url`` is not set
    """
    remote = remote_glance.read(_parse(local_conf))
    if remote is None:
        raise ConfigError(options.GROUP, "glance_url", "not set; set Glance's own URL")
    return Upstream(remote)


def face_factory(global_conf: dict[str, str], **local_conf: str) -> Face:
    """Make the app that speaks S3 to Glance's own driver.

    :param local_conf: as for ``filter_factory``
    :raises ConfigError: if ``face_url`` is not set
    """
    settings = gateway_settings.read(_parse(local_conf))
    face = settings.face
    if face is None:
        raise ConfigError(options.GROUP, "face_url", "not set; set the face's own URL")
    stores = s3_stores(settings)
    return Face(face.keys, stores, settings.transfer, WRITTEN, face.domain)


def build(
    app: WSGIApplication,
    conf: cfg.ConfigOpts,
    settings: Settings,
    around: Surroundings,
) -> Gateway:
    """Build a gateway in front of an app.

    :param conf: the parsed configuration, for the policy file
    :raises ConfigError: if there are no keys for locations that must hold some
    """
    glance = Glance(app)
    rules = Rules(conf, settings.locations.policy_file)
    masks = Masks(settings.stores, settings.locations.mask)
    sent = notifications.of_glance(conf, settings)
    inside, traits = around.inside, around.traits
    surroundings.need_keys_for_locations(settings, traits)
    images = _images(glance, settings, around)
    stores = {} if images is None else s3_stores(settings)
    metrics.begin(stores)
    uploads = _Uploads(glance, stores, settings, around, rules, sent)
    _spare_what_is_there()

    def keys() -> list[KeyPair]:
        return [pair for s in settings.stores.values() for pair in s.known_keys()]

    return Gateway(
        glance,
        uploads.by_api() if inside is None else uploads.in_glance(inside),
        Downloads(
            glance,
            images or glance,
            stores,
            settings,
            traits=traits,
            notifications=sent,
        ),
        Guard(
            glance,
            masks,
            rules,
            passing=settings.locations.passing,
            with_credentials=traits.credentials_in_uris,
        ),
        Masking(masks, Sweep(keys), _visibility(settings, rules)),
        limits=Limits(settings.transfer),
        drain_limit=settings.transfer.drain_limit,
    )


@dataclasses.dataclass(frozen=True)
class _Uploads:
    """Builds the handler of uploads."""

    glance: Glance
    stores: dict[str, S3Store]
    settings: Settings
    around: Surroundings
    rules: Rules
    notifications: Notifications

    def by_api(self) -> Uploads:
        """Return the handler that registers uploads through Glance's API."""
        # Without locations the gateway can register nothing: Glance takes all uploads.
        stores = self.stores if self.settings.show_multiple_locations else {}
        traits = self.around.traits
        registrar = Registrar(
            self.glance,
            multi_store=self.settings.multi_store,
            with_credentials=traits.credentials_in_uris,
            identity=self.around.identity,
            certain=traits.certain,
        )
        return Uploads(
            self.glance,
            stores,
            admission=Admission(
                self.glance, stores, self.settings, self.rules, registrar
            ),
            claims=self.claims,
            reception=self.reception,
            inspect=lambda image: Inspection.of(image, self.settings, traits),
            registrar=registrar,
            notifications=self.notifications,
            written=WRITTEN,
        )

    def in_glance(self, inside: Inside) -> UploadsInGlance:
        """Return the handler that runs Glance's own upload code."""
        return UploadsInGlance(
            inside,
            self.glance,
            self.stores,
            self.settings,
            rules=self.rules,
            claims=self.claims,
            reception=self.reception,
            otherwise=self.by_api(),
            with_credentials=self.around.traits.credentials_in_uris,
        )

    @functools.cached_property
    def claims(self) -> Claims:
        return Claims(self.stores, self.settings.claim_grace)

    @functools.cached_property
    def reception(self) -> Reception:
        return Reception(self.settings.transfer)


def _spare_what_is_there() -> None:
    """Freeze the objects that exist now: the collector need not visit them again.

    While a process makes many objects, for example for a page of 1,000 images, CPython
    visits all objects again and again.  Most of them are Glance, its libraries and its
    options, which stay until the process ends.  If the collector is disabled, it stays
    disabled and nothing is frozen.
    Source: https://docs.python.org/3/library/gc.html#gc.freeze
    """
    if gc.isenabled():
        gc.collect()
        gc.freeze()


def s3_stores(settings: Settings) -> dict[str, S3Store]:
    """Make the stores; each connects when it is first used."""
    return {
        name: S3Store(store, settings.transfer)
        for name, store in settings.stores.items()
    }


def _visibility(settings: Settings, rules: Rules) -> Callable[[Environ], bool]:
    """Return a function that says whether a sender sees S3 locations."""
    if settings.locations.show == "admin":
        return rules.may_see_locations
    return lambda _: settings.locations.show == "masked"


def _images(glance: Glance, settings: Settings, around: Surroundings) -> Images | None:
    """Return what says where images are and who may read them, ``None`` if none can."""
    if around.inside is not None:
        return Reading(around.inside, glance)
    if settings.show_multiple_locations:
        return glance
    if around.as_service is not None:
        LOG.info(
            "[DEFAULT] show_multiple_locations is not set: uploads are left to Glance, "
            "and downloads ask it for locations as [service_user]"
        )
        return ServiceLocations(glance, around.as_service)
    if settings.stores:
        LOG.error(
            "[DEFAULT] show_multiple_locations is not set: the gateway can neither see "
            "nor register locations, and passes all requests to Glance unchanged"
        )
    return None


def _parse(local_conf: dict[str, str]) -> cfg.ConfigOpts:
    return gateway_settings.parse(sources.of_host(local_conf.get("config_file", "")))


def _report(settings: Settings) -> None:
    """Warn at start about a configuration with surprising effects."""
    if 0 < servers.chunk_limit() < servers.ENOUGH:
        LOG.warning(
            "uWSGI refuses chunks of %d bytes and more, but some clients send them: "
            "set its option chunked-input-limit to %d",
            servers.chunk_limit(),
            servers.ENOUGH,
        )
    if not settings.stores:
        LOG.warning("No S3 store is configured: all requests pass to Glance unchanged")
    elif not all(s.writing.glance_id for s in settings.stores.values()):
        LOG.warning(
            "[s3gateway] glance_id is not set, and there is no [database] connection "
            "to compute it from: new objects carry no glance_id, and s3gateway-manage "
            "gc deletes none of them. Set glance_id to the output of uuidgen"
        )

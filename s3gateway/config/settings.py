# SPDX-License-Identifier: Apache-2.0
"""Reads Glance's configuration once into frozen settings.

The gateway reads the same files as Glance into its own ``ConfigOpts``.  It refuses to
start with a store section that Glance could not use either.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from collections.abc import Mapping
from types import MappingProxyType

from oslo_config import cfg

from s3gateway.config import face
from s3gateway.config import glance_id
from s3gateway.config import hot
from s3gateway.config import options
from s3gateway.config.face import FaceSettings
from s3gateway.config.options import glance as glance_options
from s3gateway.config.options.stores import STORE_OPTS
from s3gateway.config.sources import Sources
from s3gateway.config.stores import MIB
from s3gateway.config.stores import Section
from s3gateway.config.stores import StoreSettings
from s3gateway.config.stores import read_store
from s3gateway.errors import ConfigError
from s3gateway.uris import Mask

SINGLE_STORE = "s3"  # the store identifier of the single-store form


@dataclasses.dataclass(frozen=True, kw_only=True)
class TransferSettings:
    """Memory, speed and time-outs of transfers, in bytes and seconds.

    :param download_window: in pieces
    :param upload_rate: like the other rates and ``project_uploads``, 0 for no limit
    """

    fast_lanes: bool
    upload_buffer: int
    upload_memory: int
    download_piece: int
    download_window: int
    download_memory: int
    verify_downloads: bool
    drain_limit: int
    connect_timeout: float
    read_timeout: float
    retry_time: float
    upload_rate: int = 0
    download_rate: int = 0
    project_rate: int = 0
    project_uploads: int = 0
    hot_images: hot.HotImagesSettings = hot.OFF


@dataclasses.dataclass(frozen=True, kw_only=True)
class LocationSettings:
    """Which users see and write locations.

    :param show: ``masked``, ``admin`` or ``never``
    :param passing: schemes that the gateway does not restrict
    """

    show: str
    mask: Mask
    passing: frozenset[str]
    policy_file: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class HealthSettings:
    """When a store counts as up, and the gateway as ready; times in seconds.

    :param ready_when: ``any`` or ``all`` stores are up
    :param fall: failures in a row that make a store count as down
    :param rise: successes in a row that make it count as up again
    """

    ready_when: str
    interval: float
    timeout: float
    fall: int
    rise: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings of the gateway.

    :param stores: the S3 stores by identifier, in the order of the file
    :param default_store: the store of uploads that name none; it may be a store
        that is not S3
    :param multi_store: whether Glance runs with ``enabled_backends``
    :param image_size_cap: in bytes
    :param register_as: the identity that registers uploads, ``user`` or ``service``
    :param registration: how a filter makes an image active, ``auto`` or ``api``
    :param claim_grace: seconds without progress after which an upload is dead
    :param face: of a sealed gateway, ``None`` for others
    """

    stores: Mapping[str, StoreSettings]
    default_store: str
    multi_store: bool
    image_size_cap: int
    hashing_algorithm: str
    require_image_format_match: bool
    gpt_safety_checks_nonfatal: frozenset[str]
    show_multiple_locations: bool
    use_keystone_limits: bool
    delayed_delete: bool
    publisher_id: str
    disabled_notifications: frozenset[str]
    register_as: str
    registration: str
    claim_grace: float
    transfer: TransferSettings
    locations: LocationSettings
    health: HealthSettings
    face: FaceSettings | None = None


def parse(sources: Sources) -> cfg.ConfigOpts:
    """Parse Glance's configuration into a new ``ConfigOpts``.

    :raises ConfigError: if a file cannot be read or parsed
    """
    conf = cfg.ConfigOpts()
    try:
        conf(
            args=list(sources.arguments),
            project="glance",
            prog="glance-api",
            default_config_files=list(sources.files),
            default_config_dirs=list(sources.directories),
        )
    except cfg.Error as error:
        raise ConfigError("DEFAULT", "config_file", str(error)) from error
    return conf


def read(conf: cfg.ConfigOpts) -> Settings:
    """Read and check everything.

    :raises ConfigError: if an option cannot be used; the text names it
    """
    conf.register_opts(glance_options.GLANCE_OPTS)
    conf.register_opts(glance_options.GLANCE_STORE_OPTS, group="glance_store")
    conf.register_opts(glance_options.IMAGE_FORMAT_OPTS, group="image_format")
    conf.register_opts(options.GATEWAY_OPTS, group=options.GROUP)
    ours = Section(options.GROUP, conf[options.GROUP])
    glance = Section("DEFAULT", conf)
    image_format = Section("image_format", conf.image_format)
    nonfatal: list[str] = image_format["gpt_safety_checks_nonfatal"]
    multi_store = bool(glance["enabled_backends"])
    owner = glance_id.read(conf)
    stores, default_store = (
        _multi(conf, glance, ours, owner) if multi_store else _single(conf, ours, owner)
    )
    sealed = face.read(ours["face_url"], ours["face_keys"], ours["face_domain"])
    stores = {n: dataclasses.replace(s, face=sealed) for n, s in stores.items()}
    for one, other in itertools.combinations(stores.values(), 2):
        _refuse_overlap(one, other)
    return Settings(
        stores=MappingProxyType(stores),
        default_store=default_store,
        multi_store=multi_store,
        image_size_cap=glance["image_size_cap"],
        hashing_algorithm=_hashing_algorithm(glance),
        require_image_format_match=image_format["require_image_format_match"],
        gpt_safety_checks_nonfatal=frozenset(nonfatal),
        show_multiple_locations=glance["show_multiple_locations"],
        use_keystone_limits=glance["use_keystone_limits"],
        delayed_delete=glance["delayed_delete"],
        publisher_id=glance["default_publisher_id"],
        disabled_notifications=frozenset(glance["disabled_notifications"]),
        register_as=ours["register_as"],
        registration=ours["registration"],
        claim_grace=ours["claim_grace"],
        transfer=_transfer(ours),
        locations=_locations(ours),
        health=HealthSettings(
            ready_when=ours["ready_when"],
            interval=ours["health_interval"],
            timeout=ours["health_timeout"],
            fall=ours["health_fall"],
            rise=ours["health_rise"],
        ),
        face=sealed,
    )


def _multi(
    conf: cfg.ConfigOpts, glance: Section, ours: Section, owner: str
) -> tuple[dict[str, StoreSettings], str]:
    backends: dict[str, str] = glance["enabled_backends"]
    default = Section("glance_store", conf.glance_store, conf)["default_backend"]
    if default not in backends:
        found = f"{default!r} is not" if default else "not set; it must be"
        raise ConfigError(
            "glance_store",
            "default_backend",
            f"{found} one of enabled_backends: {', '.join(backends)}",
        )
    conf.register_opts(STORE_OPTS, group=options.BACKEND_DEFAULTS)
    return {
        name: read_store(name, backend_section(conf, name), ours, owner)
        for name, kind in backends.items()
        if kind == "s3"
    }, default


def _single(
    conf: cfg.ConfigOpts, ours: Section, owner: str
) -> tuple[dict[str, StoreSettings], str]:
    default: str = conf.glance_store.default_store
    if SINGLE_STORE not in conf.glance_store.stores:
        return {}, default
    conf.register_opts(STORE_OPTS, group="glance_store")
    section = Section("glance_store", conf.glance_store)
    return {SINGLE_STORE: read_store(SINGLE_STORE, section, ours, owner)}, default


def backend_section(conf: cfg.ConfigOpts, name: str) -> Section:
    """Return a store's section, with ``[backend_defaults]`` below it."""
    conf.register_opts(STORE_OPTS, group=name)
    for opt in STORE_OPTS:
        conf.set_default(opt.name, None, group=name)
    return Section(name, conf[name], conf[options.BACKEND_DEFAULTS])


def _refuse_overlap(one: StoreSettings, other: StoreSettings) -> None:
    """Refuse two stores that Glance could confuse.

    Glance finds a location's store by the start of its URI
    (``glance.common.store_utils._get_store_id_from_uri``), so a bucket named
    ``glance`` claims the images of a bucket ``glance-cheap`` on the same host.
    """
    prefixes = [f"{store.service}/{store.bucket}" for store in (one, other)]
    if one.scheme == other.scheme and (
        prefixes[0].startswith(prefixes[1]) or prefixes[1].startswith(prefixes[0])
    ):
        raise ConfigError(
            other.name,
            "s3_store_bucket",
            f"the location URIs of this store and of [{one.name}] start alike, so "
            "Glance would confuse the two; rename one of the buckets so that neither "
            "name starts with the other",
        )


def _hashing_algorithm(glance: Section) -> str:
    name: str = glance["hashing_algorithm"]
    try:
        hashlib.new(name, usedforsecurity=False)
    except ValueError as error:
        raise ConfigError(
            "DEFAULT", "hashing_algorithm", f"hashlib has no {name!r}; use sha512"
        ) from error
    return name


def _transfer(ours: Section) -> TransferSettings:
    return TransferSettings(
        fast_lanes=ours["fast_lanes"],
        upload_buffer=ours["upload_buffer"] * MIB,
        upload_memory=ours["upload_memory"] * MIB,
        download_piece=ours["download_piece"] * MIB,
        download_window=ours["download_window"],
        download_memory=ours["download_memory"] * MIB,
        verify_downloads=ours["verify_downloads"],
        drain_limit=ours["drain_limit"] * MIB,
        connect_timeout=ours["connect_timeout"],
        read_timeout=ours["read_timeout"],
        retry_time=ours["retry_time"],
        upload_rate=ours["upload_rate"] * MIB,
        download_rate=ours["download_rate"] * MIB,
        project_rate=ours["project_rate"] * MIB,
        project_uploads=ours["project_uploads"],
        hot_images=hot.read(ours),
    )


def _locations(ours: Section) -> LocationSettings:
    try:
        mask = Mask(ours["mask_format"])
    except ValueError as error:
        raise ConfigError(options.GROUP, "mask_format", str(error)) from error
    return LocationSettings(
        show=ours["show_locations"],
        mask=mask,
        passing=frozenset(ours["pass_location_schemes"]),
        policy_file=ours["policy_file"],
    )

# SPDX-License-Identifier: Apache-2.0
"""``check``: the first thing to run; it changes nothing that stays."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from s3gateway.config import remote as remote_glance
from s3gateway.config.settings import Settings
from s3gateway.config.stores import StoreSettings
from s3gateway.errors import ConfigError
from s3gateway.errors import GlanceError
from s3gateway.glance.api import Refused
from s3gateway.manage.check import findings
from s3gateway.manage.check import keystone
from s3gateway.manage.check import member
from s3gateway.manage.check import paste_file
from s3gateway.manage.check.findings import Finding
from s3gateway.manage.check.store import examine
from s3gateway.manage.check.store_findings import Severity
from s3gateway.manage.context import Context
from s3gateway.s3.store import S3Store

_CONNECT_TIMEOUT = 5.0  # seconds
_READ_TIMEOUT = 20.0


def run(context: Context) -> bool:
    """Print what is found out; return whether nothing is an error."""
    rows = list(context.output.progress(_all(context), "checks"))
    errors = sum(row.state is Severity.ERROR for row in rows)
    warnings = sum(row.state is Severity.WARNING for row in rows)
    summary = f"{len(rows)} checks, {errors} errors, {warnings} warnings"
    context.output.result([row.row() for row in rows], findings.COLUMNS, summary)
    return not errors


def _all(context: Context) -> Iterator[Finding]:
    yield from _configuration(context.settings)
    if remote_glance.read(context.conf) is None:
        yield from paste_file.check(context.conf)
    yield from keystone.check(context.conf)
    for store in context.settings.stores.values():
        yield from _store(store, context.settings)
    yield from _glance(context)
    yield from member.check(context.conf)


def _configuration(settings: Settings) -> Iterator[Finding]:
    names = ", ".join(settings.stores)
    if not names:
        yield findings.error(
            "configuration",
            "no S3 store",
            "All goes to Glance as it is: add a store of type s3 to enabled_backends.",
        )
    elif settings.default_store in settings.stores:
        found = f"S3 stores {names}, default {settings.default_store}"
        yield findings.ok("configuration", found)
    else:
        yield Finding(
            Severity.NOTE,
            "configuration",
            f"S3 stores {names}, default {settings.default_store}",
            "The default store is not S3: uploads that name no store are Glance's.",
        )
    if not settings.show_multiple_locations:
        yield findings.error(
            "configuration",
            "show_multiple_locations is off",
            "All goes to Glance as it is: set it to True in [DEFAULT].",
        )


def _store(store: StoreSettings, settings: Settings) -> Iterator[Finding]:
    """Yield what one store answers, and what it can do."""
    subject = f"store {store.name}"
    transfer = dataclasses.replace(
        settings.transfer,
        connect_timeout=min(settings.transfer.connect_timeout, _CONNECT_TIMEOUT),
        read_timeout=min(settings.transfer.read_timeout, _READ_TIMEOUT),
        retry_time=0.0,
    )
    for found in examine(S3Store(store, transfer)):
        yield Finding(
            Severity(found.severity),
            subject,
            f"{found.capability}: {found.state}",
            found.consequence,
        )
    if not store.endpoint.startswith("https:"):
        yield Finding(
            Severity.NOTE,
            subject,
            "without TLS",
            "Whoever is on the way to it can read the images: use https if that is "
            "not a network of your own.",
        )


def _glance(context: Context) -> Iterator[Finding]:
    try:
        glance = context.glance
        next(glance.images(), None)
    except ConfigError as error:
        yield findings.error("Glance", "not usable", str(error))
    except (Refused, GlanceError) as error:
        yield findings.error(
            "Glance",
            str(error),
            "Its API does not list images: look at [database] connection, whether the "
            "database runs, and at what Glance logged; or at [s3gateway] glance_url.",
        )
    else:
        yield findings.ok("Glance", "its API lists images")
        if glance.traits.credentials_in_uris:
            yield Finding(
                Severity.WARNING,
                "Glance",
                "glance_store before 5.6",
                "It keeps the S3 keys in its database: upgrade, then run locations "
                "scrub.",
            )

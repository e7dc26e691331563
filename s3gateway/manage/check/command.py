# SPDX-License-Identifier: Apache-2.0
"""``check``: the first thing to run; it changes nothing that stays."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from collections.abc import Sequence
from typing import TYPE_CHECKING

from s3gateway.config import remote as remote_glance
from s3gateway.config.settings import Settings
from s3gateway.config.stores import StoreSettings
from s3gateway.errors import ConfigError
from s3gateway.errors import GlanceError
from s3gateway.errors import UsageError
from s3gateway.glance import identity
from s3gateway.glance import relied_on
from s3gateway.glance import surroundings
from s3gateway.glance.api import Refused
from s3gateway.manage import arguments
from s3gateway.manage import locations
from s3gateway.manage import selection
from s3gateway.manage import trouble
from s3gateway.manage.check import botocore_data
from s3gateway.manage.check import findings
from s3gateway.manage.check import hot_images
from s3gateway.manage.check import keystone
from s3gateway.manage.check import location_keys
from s3gateway.manage.check import member
from s3gateway.manage.check import paste_file
from s3gateway.manage.check import running
from s3gateway.manage.check import seal
from s3gateway.manage.check import uwsgi_files
from s3gateway.manage.check.findings import Finding
from s3gateway.manage.check.findings import Meaning
from s3gateway.manage.check.findings import Severity
from s3gateway.manage.check.store import check as check_store
from s3gateway.manage.context import Context
from s3gateway.manage.operator import Operator

if TYPE_CHECKING:
    from s3gateway.manage.arguments import Commands

_NO_START = Meaning(
    "glance_does_not_start",
    "does not start",
    "With this configuration Glance itself does not start here: look at what it "
    "logged, at the options and library of each store in enabled_backends, at "
    "[database] connection, and whether the database runs.",
)
_NO_LIST = Meaning(
    "glance_does_not_list",
    "does not list images",
    "Its API does not list images: look at [database] connection, whether the "
    "database runs, and at what Glance logged; or at [s3gateway] glance_url.",
)

_TEXT = """
Check the configuration, every pipeline of the paste file, Keystone (where
[keystone_authtoken] is set), each S3 store and Glance. Each problem is shown with what
to do about it. Small objects are written to each bucket and deleted again.

Whether the running Glance has the gateway, and in which version, it tells admins only:
it is asked as the user of --os-cloud or OS_*, [service_user] or [keystone_authtoken].
To see what users see, run "selftest".

Of a sealed gateway this proves the seal. On its own host (face_url is set) the face is
asked for what it must refuse. On a Glance host behind it, name the face: then that is
done with the key pair of each store's section, and keys of S3 are looked for in
Glance's configuration files and all that lies beside them, and in its locations.

  s3gateway-manage check
  s3gateway-manage check --store fast --no-write
  s3gateway-manage check --face http://192.0.2.11:9293 --search /var/log/glance
  s3gateway-manage check --json | jq '.rows[] | select(.state == "error")'
"""


def declare(commands: Commands) -> None:
    """Declare the command."""
    summary = "Check configuration and connectivity"
    parser = arguments.add(commands, "check", run, summary=summary, text=_TEXT)
    parser.add_argument(
        "--store",
        action="append",
        metavar="STORE",
        default=[],
        help="of the stores, look at this one only; may be repeated",
    )
    parser.add_argument(
        "--no-write",
        action="store_true",
        help="write to no bucket, and create no image",
    )
    locations.declare_face(parser)
    parser.add_argument(
        "--search",
        action="append",
        type=pathlib.Path,
        metavar="PATH",
        default=[],
        help="where Glance is behind a face, look for keys of S3 in this file or "
        "directory, too; may be repeated",
    )
    parser.add_argument(
        "--os-cloud", metavar="NAME", default="", help="a cloud of clouds.yaml"
    )


def run(context: Context) -> bool:
    """Print what is found out; return whether nothing is an error."""
    rows = list(context.output.progress(_all(context), "checks"))
    errors = sum(row.severity is Severity.ERROR for row in rows)
    warnings = sum(row.severity is Severity.WARNING for row in rows)
    summary = f"{len(rows)} checks, {errors} errors, {warnings} warnings"
    context.output.result([row.row() for row in rows], findings.COLUMNS, summary)
    return not errors


def _all(context: Context) -> Iterator[Finding]:
    if seal.is_behind(context):
        yield from keystone.check(context.conf)
        yield from seal.of_glance(context, _stores(context))
        yield from _glance(context)
        yield from running.check(context.conf, context.words.os_cloud)
        return
    if context.words.search:
        raise UsageError("--search: name the face as well, where Glance is behind it")
    yield from _configuration(context.settings)
    if remote_glance.read(context.conf) is None:
        yield from paste_file.check(context.conf)
    yield from uwsgi_files.check(context.conf)
    yield from botocore_data.check()
    yield from hot_images.check(context.settings.transfer.hot_images)
    yield from keystone.check(context.conf)
    words = context.words
    for store in _stores(context):
        if unnamed := seal.unnamed(context, store):
            yield unnamed
            continue
        transfer = context.settings.transfer
        yield from check_store(store, transfer, write=not words.no_write)
    yield from seal.of_gateway(context, _stores(context))
    yield from _glance(context)
    yield from running.check(context.conf, words.os_cloud)
    yield from member.check(context.conf, write=not words.no_write)


def _stores(context: Context) -> Sequence[StoreSettings]:
    """Return the stores to look at.

    :raises UsageError: if there is none of a name
    """
    found = context.settings.stores
    wanted = selection.stores(context) if context.words.store else found
    return [found[name] for name in wanted]


def _configuration(settings: Settings) -> Iterator[Finding]:
    names = ", ".join(settings.stores)
    if not names:
        yield findings.error(
            "no_s3_store",
            "configuration",
            "no S3 store",
            "All goes to Glance as it is: add a store of type s3 to enabled_backends.",
        )
    elif settings.default_store in settings.stores:
        found = f"S3 stores {names}, default {settings.default_store}"
        yield findings.ok("default_store_in_s3", "configuration", found)
    else:
        yield findings.note(
            "default_store_not_in_s3",
            "configuration",
            f"S3 stores {names}, default {settings.default_store}",
            "The default store is not S3: uploads that name no store are Glance's.",
        )
    for whose in {store.writing.glance_id for store in settings.stores.values()}:
        yield _identity(whose)


def _identity(whose: str) -> Finding:
    if whose:
        return findings.ok(
            "glance_id_set", "configuration", f"objects belong to Glance {whose}"
        )
    return findings.warning(
        "glance_id_missing",
        "configuration",
        "objects do not say which Glance they belong to",
        "gc leaves them alone: set [s3gateway] glance_id, to the same for all gateways "
        "of this Glance and here.",
    )


def _way(context: Context) -> Finding:
    """Say how uploads are registered, and whether locations can be seen for it."""
    settings, subject = context.settings, "uploads"
    why = "as [s3gateway] registration has it"
    if remote_glance.read(context.conf) is not None:
        why = "as always by a gateway of its own"
    elif settings.registration == "auto":
        try:
            relied_on.check()
        except relied_on.Unfit as unfit:
            why = str(unfit)
        else:
            return findings.ok(
                "uploads_by_glances_code",
                subject,
                "are registered by Glance's own code",
            )
    if settings.show_multiple_locations:
        return findings.note(
            "uploads_by_api",
            subject,
            f"are registered through Glance's API, {why}",
            "It needs show_multiple_locations, and set_image_location for all.",
        )
    if remote_glance.read(context.conf) is not None and identity.read(context.conf):
        return findings.note(
            "uploads_left_to_glance",
            subject,
            "are left to Glance: show_multiple_locations is off",
            "Downloads are the gateway's. [service_user] needs the roles service and "
            "admin.",
        )
    return findings.error(
        "uploads_not_possible",
        subject,
        f"would be registered through Glance's API, {why}, and "
        "show_multiple_locations is off",
        "All goes to Glance as it is: set show_multiple_locations = True in [DEFAULT].",
    )


def _glance(context: Context) -> Iterator[Finding]:
    is_remote = remote_glance.read(context.conf) is not None
    meaning = _NO_LIST if is_remote else _NO_START
    try:
        glance = context.glance
        meaning = _NO_LIST
        next(glance.images(), None)
    except ConfigError as error:
        yield findings.error("glance_not_usable", "Glance", "not usable", str(error))
    except (Refused, GlanceError) as error:
        detail = f"{trouble.told(error)}  {meaning.advice}"
        yield findings.error(meaning.code, "Glance", meaning.found, detail)
    else:
        yield findings.ok("glance_lists_images", "Glance", "its API lists images")
        if not seal.is_behind(context):
            yield from _registrations(context, glance)
        yield from location_keys.check(context, glance)


def _registrations(context: Context, glance: Operator) -> Iterator[Finding]:
    """Say how uploads of the gateway become those of Glance."""
    yield _way(context)
    try:
        surroundings.need_keys_for_locations(context.settings, glance.traits)
    except ConfigError as error:
        yield findings.error(
            "locations_need_keys", "Glance", "no keys for locations", str(error)
        )
    if glance.traits.credentials_in_uris:
        yield findings.warning(
            "glance_stores_keys",
            "Glance",
            "glance_store before 5.6",
            "It keeps the S3 keys in its database: upgrade, then run locations scrub.",
        )

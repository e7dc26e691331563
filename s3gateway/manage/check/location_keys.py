# SPDX-License-Identifier: Apache-2.0
"""Checks the locations in Glance's database for keys of S3."""

from __future__ import annotations

import collections
from collections.abc import Iterator

from s3gateway.errors import GlanceError
from s3gateway.manage import locations
from s3gateway.manage.check import findings
from s3gateway.manage.check import seal
from s3gateway.manage.check.findings import Finding
from s3gateway.manage.check.findings import Severity
from s3gateway.manage.context import Context
from s3gateway.manage.locations import Kind
from s3gateway.manage.operator import Operator


def check(context: Context, glance: Operator) -> Iterator[Finding]:
    """Yield whether a location holds a key, where the database can be read."""
    if glance.rows is None:
        return  # to ask its API for all images would take long
    stores = context.settings.stores
    try:
        found = locations.count(glance, stores, context.output, context.face)
    except GlanceError as error:
        yield findings.error(
            "locations_not_known", "locations", "not known", str(error)
        )
        return
    unreadable = locations.in_state(found, locations.UNREADABLE)
    if unreadable:
        yield findings.warning(
            "locations_not_decrypted",
            "locations",
            f"{unreadable} cannot be decrypted",
            "Whether they hold an S3 key is not known: set metadata_encryption_key to "
            "the key that Glance encrypts them with.",
        )
    if finding := _with_keys(found, sealed=seal.is_behind(context)):
        yield finding
    elif not unreadable:
        yield findings.ok("locations_without_keys", "locations", "none holds an S3 key")


def _with_keys(found: collections.Counter[Kind], *, sealed: bool) -> Finding | None:
    """Return how many hold a key, ``None`` if none does.

    :param sealed: whether none may be there; elsewhere Glance up to 32 needs them
    """
    used = locations.with_key(found, locations.IN_USE)
    deleted = locations.with_key(found, locations.DELETED)
    if not (used or deleted):
        return None
    return Finding(
        "locations_hold_keys",
        Severity.ERROR if sealed else Severity.WARNING,
        "locations",
        f"{used} hold an S3 key, and {deleted} rows of deleted images",
        "Who reads Glance's database has the keys: locations audit counts them. "
        "Glance up to 32 needs those of its images, unless the gateway is sealed "
        "(locations seal); glance-manage db purge removes the others.",
    )

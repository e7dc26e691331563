# SPDX-License-Identifier: Apache-2.0
"""All there is to find out about a store, for the operator."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from s3gateway.errors import ObjectNotFound
from s3gateway.errors import StoreDenied
from s3gateway.errors import StoreError
from s3gateway.manage.check import probes
from s3gateway.manage.check import reach
from s3gateway.manage.check import store_findings
from s3gateway.manage.check.store_findings import Finding
from s3gateway.manage.check.store_findings import Severity
from s3gateway.s3 import conditional

__all__ = ["Finding", "Severity", "examine"]

if TYPE_CHECKING:
    from s3gateway.s3.store import S3Store


def examine(store: S3Store) -> list[Finding]:
    """Find out all about a store; takes seconds and leaves nothing behind.

    The first finding is ``access``.  If its severity is ``ERROR`` the store cannot
    be used at all, and it is the only one.  Never raises a ``StoreError``.
    """
    access = _access(store)
    if access.severity is Severity.ERROR or access.state == "no bucket":
        return [access]
    return [access, *(_probe(store, probe) for probe in probes.ALL)]


def _access(store: S3Store) -> Finding:
    """Find out whether a store can be read and written, and if not why."""
    connection = store.connection
    timeout = store.transfer.connect_timeout
    if failure := reach.unreachable(store.settings, connection.cacert, timeout):
        return failure
    region = connection.region
    try:
        store.ask("list_objects_v2", MaxKeys=1)
    except ObjectNotFound as error:
        return _no_bucket(store, error)
    except StoreError as error:
        if error.code != "AccessDenied":  # writing may be allowed nevertheless
            return store_findings.of_error("access", store.name, error)
    if store.connection.region != region:
        return _moved(store)
    return _writing(store)


def _writing(store: S3Store) -> Finding:
    key = conditional.PREFIX + secrets.token_hex(8)
    try:
        store.send("PUT", key, [])
    except StoreDenied as error:
        if error.code == "AccessDenied":
            return Finding(
                "access",
                "no write right",
                Severity.ERROR,
                "The keys may read the bucket but not write to it; give their user "
                f"s3:PutObject and s3:DeleteObject ({error}).",
            )
        return store_findings.of_error("access", store.name, error)
    except StoreError as error:
        return store_findings.of_error("access", store.name, error)
    try:
        store.delete(key)
    except StoreError as error:
        return Finding(
            "access",
            "no right to delete",
            Severity.ERROR,
            "Failed uploads and deleted images would stay for ever; give the user "
            f"of the keys s3:DeleteObject ({error}).",
        )
    return Finding("access", "yes", Severity.OK)


def _no_bucket(store: S3Store, error: StoreError) -> Finding:
    if not store.settings.create_bucket:
        return store_findings.of_error("access", store.name, error)
    return Finding(
        "access",
        "no bucket",
        Severity.NOTE,
        "The bucket does not exist; the first upload creates it. Check again then.",
    )


def _moved(store: S3Store) -> Finding:
    return Finding(
        "access",
        "wrong region",
        Severity.WARNING,
        "The bucket is in another region, which the gateway finds out anew in every "
        f"process; set s3_store_region_name = {store.connection.region} in "
        f"[{store.name}].",
    )


def _probe(store: S3Store, probe: probes.Probe) -> Finding:
    key = conditional.PREFIX + secrets.token_hex(8)
    try:
        return probe(store, key)
    except StoreError as error:
        name = probe.__name__.replace("_", " ")
        return Finding(name, "unknown", Severity.WARNING, f"{error}.")

# SPDX-License-Identifier: Apache-2.0
"""Asking for a store's bucket, and creating it where it has to be."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from oslo_log import log as logging

from s3gateway.errors import ObjectExists
from s3gateway.errors import ObjectNotFound
from s3gateway.errors import StoreError

if TYPE_CHECKING:
    from s3gateway.s3.store import S3Store

LOG = logging.getLogger(__name__)


def create(store: S3Store, region: str) -> None:
    """Create a store's bucket; it is no error if there is one by now.

    :param region: where, may be empty
    :raises StoreError: if there is no bucket then
    """
    LOG.info("Creating the bucket of store %s", store.name)
    # S3's first region is the one that may not be named here.
    named = region and region != "us-east-1"
    try:
        _create(store, {"LocationConstraint": region} if named else {})
    except StoreError as error:
        # To Ceph the constraint is a zonegroup, which a region is often not.
        if not named or "LocationConstraint" not in error.code:
            raise
        _create(store, {})


def ping(store: S3Store) -> None:
    """Ask the bucket for a sign of life, once; one that will be created has none.

    :raises StoreError: if there is none
    """
    # Not HEAD: an error in answer to it has no body that says which one.
    try:
        store.ask("list_objects_v2", Prefix="-", MaxKeys=1)
    except ObjectNotFound:
        if not store.settings.create_bucket:
            raise


def _create(store: S3Store, where: Mapping[str, str]) -> None:
    configuration = {"CreateBucketConfiguration": where} if where else {}
    with contextlib.suppress(ObjectExists):  # somebody else was faster
        store.ask("create_bucket", **configuration)

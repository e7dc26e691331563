# SPDX-License-Identifier: Apache-2.0
"""Tells the S3 face of a sealed gateway from S3: it lists nothing, and keeps no claims.

On a Glance host behind a face, Glance's configuration names the face as the S3 server.
What has to see the bucket runs on the gateway's host.
"""

from __future__ import annotations

import dataclasses

from s3gateway.config.settings import TransferSettings
from s3gateway.config.stores import StoreSettings
from s3gateway.errors import ConfigError
from s3gateway.errors import StoreError
from s3gateway.s3.store import S3Store
from s3gateway.store import ObjectStore
from s3gateway.upload import claims


def asked_once(store: StoreSettings, transfer: TransferSettings) -> S3Store:
    """Return a store, of which it is not known what it is, for one request or two."""
    return S3Store(
        store, dataclasses.replace(transfer, retry_time=0, connect_timeout=5)
    )


def may_say(error: StoreError) -> bool:
    """Whether an error is that of a face which does not know the request."""
    return error.code == "NotImplemented"


def is_one(store: ObjectStore) -> bool:
    """Whether a store is a face.

    What cannot be asked is none: the next request to it says what is wrong.
    """
    try:
        next(iter(store.objects(claims.PREFIX)), None)
    except StoreError as error:
        return may_say(error)
    return False


def refuse(store: ObjectStore, error: StoreError | None = None) -> None:
    """Make sure that a store is S3 itself.

    :param error: why it could not be listed, if that was tried already
    :raises ConfigError: if it is a face
    """
    if error is not None and not may_say(error):
        return
    if is_one(store):
        raise ConfigError(
            store.name,
            "s3_store_host",
            "the face of a sealed gateway, which shows no bucket: run this command on "
            "the gateway's host",
        )

# SPDX-License-Identifier: Apache-2.0
"""The gateway's own stores on running servers, for tests without a Glance."""

from __future__ import annotations

import dataclasses
from typing import Any

from s3gateway.config.keys import KeyPair
from s3gateway.config.keys import Keys
from s3gateway.config.settings import TransferSettings
from s3gateway.s3.store import S3Store
from s3gateway.store import ObjectStore
from tests.support.s3.memory import store_settings
from tests.support.s3.s3server import S3Server

MIB = 1024**2

TRANSFER = TransferSettings(
    fast_lanes=True,
    upload_buffer=64 * MIB,
    upload_memory=512 * MIB,
    download_piece=MIB,
    download_window=4,
    download_memory=64 * MIB,
    verify_downloads=False,
    drain_limit=MIB,
    connect_timeout=5,
    read_timeout=30,
    retry_time=5,
)


def s3_store(
    server: S3Server,
    bucket: str,
    *,
    transfer: dict[str, Any] | None = None,
    **changes: Any,
) -> S3Store:
    """Return a store on a server.

    :param transfer: what is different in its ``TransferSettings``
    :param changes: what is different in its ``StoreSettings``
    """
    settings = store_settings(
        **{
            "endpoint": server.endpoint,
            "region": server.region,
            "keys": Keys(KeyPair(server.access_key, server.secret_key)),
            "bucket": bucket,
            **changes,
        }
    )
    return S3Store(settings, dataclasses.replace(TRANSFER, **(transfer or {})))


def bucket_of(store: ObjectStore) -> str:
    return store.settings.bucket

# SPDX-License-Identifier: Apache-2.0
"""An image's locations, and which of our stores each one is in."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from s3gateway import uris
from s3gateway.config.stores import StoreSettings

#: Where a location's metadata keeps what Glance's API cannot set.
VIRTUAL_SIZE = "s3gateway_virtual_size"


@dataclasses.dataclass(frozen=True)
class Location:
    """Where an image's data is, as Glance holds it."""

    url: str = dataclasses.field(repr=False)
    metadata: Mapping[str, Any]


def location_uri(
    store: StoreSettings, key: str, with_credentials: bool
) -> uris.StoredURI:
    """Return the location URI that Glance's own driver writes for a key.

    :param with_credentials: as glance_store before 5.6 does
    """
    keys = store.keys.current()
    uri = uris.StoredURI(
        scheme=store.scheme,
        service=store.service,
        bucket=store.bucket,
        key=key,
        access_key=keys.access_key,
        secret_key=keys.secret_key,
    )
    return uri if with_credentials else uri.without_credentials()


def is_at(location: Location, store: StoreSettings, key: str) -> bool:
    """Whether a location is that of an object, with credentials or without."""
    uri = uris.try_parse(location.url)
    expected = location_uri(store, key, with_credentials=False)
    return uri is not None and uri.without_credentials() == expected


def store_of(location: Location, stores: Mapping[str, StoreSettings]) -> str:
    """Return the identifier of the store a location is in, empty if not ours.

    As for Glance, the metadata decides, and otherwise the start of the URI.  The
    credentials in the URI do not matter: they may have been changed since.
    """
    uri = uris.try_parse(location.url)
    if uri is None:
        return ""
    named = location.metadata.get("store")
    if named in stores:
        return str(named)
    for name, store in stores.items():
        if (uri.service, uri.bucket) == (store.service, store.bucket):
            return name
    return ""

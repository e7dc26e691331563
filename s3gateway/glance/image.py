# SPDX-License-Identifier: Apache-2.0
"""Locations of images, and the configured store of each."""

from __future__ import annotations

import dataclasses
from collections.abc import Container
from collections.abc import Mapping
from typing import Any

from s3gateway import uris
from s3gateway.config.stores import StoreSettings

#: Key in a location's metadata for the virtual size, which Glance's API cannot set.
VIRTUAL_SIZE = "s3gateway_virtual_size"


@dataclasses.dataclass(frozen=True)
class Location:
    """A location of an image, as Glance stores it."""

    url: str = dataclasses.field(repr=False)
    metadata: Mapping[str, Any]


def location_uri(
    store: StoreSettings, key: str, with_credentials: bool
) -> uris.StoredURI:
    """Return the location URI that Glance's own driver writes for a key.

    :param with_credentials: whether it holds the keys, as before glance_store 5.6
    """
    keys = store.location_keys
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


def store_named(metadata: Mapping[str, Any], names: Container[str]) -> str:
    """Return the store that a location's metadata names, empty if it is none of these.

    Users may write any JSON there.
    """
    named = metadata.get("store")
    return named if isinstance(named, str) and named in names else ""


def store_of(location: Location, stores: Mapping[str, StoreSettings]) -> str:
    """Return the identifier of a location's S3 store, empty if it is not configured.

    As in Glance, the metadata decides, and without it the start of the URI.  The
    credentials in the URI are ignored: they may have changed since.
    """
    uri = uris.try_parse(location.url)
    if uri is None:
        return ""
    if named := store_named(location.metadata, stores):
        return named
    for name, store in stores.items():
        if store.has(uri.service, uri.bucket):
            return name
    return ""

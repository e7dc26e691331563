# SPDX-License-Identifier: Apache-2.0
"""Collecting what uploads that died have left in the stores."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping

from oslo_log import log as logging

from s3gateway import uris
from s3gateway.claims import Attempt
from s3gateway.errors import StoreError
from s3gateway.glance import Image
from s3gateway.store import ObjectStore

LOG = logging.getLogger(__name__)


def collect(
    attempts: Iterable[Attempt], image: Image | None, stores: Mapping[str, ObjectStore]
) -> list[Attempt]:
    """Drop uploads and objects that no image refers to; never raises.

    :param image: as it is now, ``None`` if it is gone
    :return: those that are still there because a store failed
    """
    return [
        attempt
        for attempt in attempts
        if not (image and refers_to(image, attempt.key)) and not _drop(attempt, stores)
    ]


def refers_to(image: Image, key: str) -> bool:
    """Whether an image may need an object.

    An image that has data somewhere, but where is not shown, may need it: that of a
    deactivated image is not, nor is any without ``show_multiple_locations``.
    """
    if image.status != "queued" and not image.locations:
        return True
    found = [uris.try_parse(location.url) for location in image.locations]
    return any(uri is not None and uri.key == key for uri in found)


def _drop(attempt: Attempt, stores: Mapping[str, ObjectStore]) -> bool:
    store = stores.get(attempt.store)
    if store is None:
        LOG.error("%s is in store %s, which is gone", attempt.key, attempt.store)
        return False
    try:
        store.abandon(attempt.key, attempt.upload_id)
        store.delete(attempt.key)
    except StoreError as error:
        LOG.error("%s was left in store %s: %s", attempt.key, attempt.store, error)
        return False
    LOG.info("Collected %s from store %s", attempt.key, attempt.store)
    return True

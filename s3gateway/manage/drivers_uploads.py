# SPDX-License-Identifier: Apache-2.0
"""Multipart uploads that Glance's own driver has begun through the face, and left.

Their keys are image ids, and no claim names them: a part that came lately is their only
sign of life.  Where there is no face, such uploads are not the gateway's business.
"""

from __future__ import annotations

from collections.abc import Callable

from oslo_log import log as logging

from s3gateway import uris
from s3gateway.errors import ObjectNotFound
from s3gateway.errors import StoreError
from s3gateway.store import Listed
from s3gateway.store import ObjectStore
from s3gateway.upload.claims import Attempt

LOG = logging.getLogger(__name__)


def is_one(store: ObjectStore, key: str) -> bool:
    """Whether an upload to a key can only have come through the face of a store."""
    through_face = store.settings.face is not None
    return through_face and uris.is_image_key(key) and not uris.is_ours(key)


def is_abandoned(
    store: ObjectStore, listed: Listed, is_old: Callable[[float], bool]
) -> bool:
    """Whether an upload is one of the driver's, of which no part came for long.

    :param is_old: whether so many seconds are long
    :raises StoreError: if the store does not say
    """
    if not (is_one(store, listed.key) and is_old(listed.age)):
        return False
    try:
        return is_old(store.untouched(listed.key, listed.upload_id))
    except ObjectNotFound:  # it went this very moment
        return False


def abort(store: ObjectStore, attempt: Attempt) -> bool:
    """Abort an upload, and nothing beside it; return whether it is gone.

    A later upload to the same image has the same key.
    """
    try:
        store.abandon(attempt.key, attempt.upload_id, others=False)
    except StoreError as error:
        LOG.error("%s was left in store %s: %s", attempt.key, attempt.store, error)
        return False
    return True

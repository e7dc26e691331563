# SPDX-License-Identifier: Apache-2.0
"""Deletes what dead uploads have left in the stores."""

from __future__ import annotations

import functools
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence

from oslo_log import log as logging

from s3gateway import uris
from s3gateway.errors import GlanceError
from s3gateway.errors import StoreError
from s3gateway.glance.api import Image
from s3gateway.glance.api import Refused
from s3gateway.store import ObjectStore
from s3gateway.upload.claims import Attempt
from s3gateway.upload.holding import Claim

LOG = logging.getLogger(__name__)

#: States of an image that has no data yet.
WAITING = ("queued", "saving")


def collect(
    attempts: Iterable[Attempt], image: Image | None, stores: Mapping[str, ObjectStore]
) -> list[Attempt]:
    """Abort incomplete uploads and delete objects that no image refers to.

    Never raises.

    :param image: as it is now, ``None`` if it is gone
    :return: the attempts that are left because a store failed
    """
    return [
        attempt
        for attempt in attempts
        if not _drop(attempt, stores, needed=_is_needed(image, attempt.key))
    ]


def give_back(
    claim: Claim, find: Callable[[], Image | None], stores: Mapping[str, ObjectStore]
) -> None:
    """Collect what dead uploads left, and end a claim; never raises.

    A claim that still names something stays, for the next upload or ``gc``.

    :param find: returns the image as it is now, ``None`` if it is gone
    """
    left: Sequence[Attempt] = claim.leftovers
    try:
        if left:
            left = collect(left, find(), stores)
    except (Refused, GlanceError) as error:
        LOG.debug("Image %s: Glance does not show it: %s", claim.image_id, error)
    except Exception:
        LOG.exception("Image %s: what dead uploads left stays", claim.image_id)
    if left:
        claim.leave()
    else:
        claim.release()


def refers_to(image: Image, key: str) -> bool:
    """Whether an image may need an object."""
    return hides_its_data(image) or key in keys_of(image)


def hides_its_data(image: Image) -> bool:
    """Whether an image has data but shows no locations.

    Glance hides those of deactivated images, and all without
    ``show_multiple_locations``.
    """
    return image.status not in WAITING and not image.locations


def keys_of(image: Image) -> set[str]:
    """Return the keys of the objects in an image's locations."""
    found = [uris.try_parse(location.url) for location in image.locations]
    return {uri.key for uri in found if uri is not None}


def _is_needed(image: Image | None, key: str) -> bool:
    return image is not None and refers_to(image, key)


def _drop(attempt: Attempt, stores: Mapping[str, ObjectStore], *, needed: bool) -> bool:
    """Delete what an attempt has left, but keep a needed object."""
    store = stores.get(attempt.store)
    if store is None:
        LOG.error(
            "%s is in store %s, which is not configured", attempt.key, attempt.store
        )
        return False
    steps = [functools.partial(store.abandon, attempt.key, attempt.upload_id)]
    if not needed:
        steps.append(functools.partial(store.delete, attempt.key))
    done = True
    for step in steps:
        try:
            step()
        except StoreError as error:
            LOG.error("%s was left in store %s: %s", attempt.key, attempt.store, error)
            done = False
    if done:
        LOG.info("Collected %s from store %s", attempt.key, attempt.store)
    return done

# SPDX-License-Identifier: Apache-2.0
"""Changing the locations of an active image, and believing what it shows afterwards."""

from __future__ import annotations

from s3gateway.download.failover import Copy
from s3gateway.errors import Conflict
from s3gateway.errors import GatewayError
from s3gateway.errors import GlanceError
from s3gateway.errors import ImageGone
from s3gateway.errors import NotKnown
from s3gateway.glance.api import Image
from s3gateway.glance.api import Refused
from s3gateway.glance.image import VIRTUAL_SIZE
from s3gateway.glance.image import Location
from s3gateway.glance.image import is_at
from s3gateway.glance.image import location_uri
from s3gateway.glance.registration import NOT_GLANCES
from s3gateway.glance.registration import location_document
from s3gateway.manage.operator import Operator


def add_location(
    glance: Operator, image: Image, copy: Copy, with_credentials: bool
) -> None:
    """Add a verified copy to an image's locations.

    :param with_credentials: whether this Glance's location URIs hold the keys; if so,
        a URI without is tried as well
    :raises Conflict: if the image has other data by now
    :raises ImageGone: if there is no image any more
    :raises NotKnown: if Glance does not say whether it was added
    """
    for form in (True, False) if with_credentials else (False,):
        answer = _add(glance, image, copy, form)
        try:
            after = _look(glance, image)
        except GlanceError as error:
            raise NotKnown(str(error)) from error
        if any(_is_at(location, copy) for location in after.locations):
            return
        if answer in NOT_GLANCES:
            raise NotKnown(f"Glance may still add the location: it answered {answer}")
        if answer not in (400, 500):
            break
    raise GatewayError(f"Glance did not add the location: it answered {answer}")


def remove_store(glance: Operator, image: Image, store: str) -> None:
    """Have Glance delete an image's data in a store, and the location with it.

    Glance finds the location by the store's name, and never removes the last one.

    :raises GatewayError: if it did not
    """
    answer = glance.ask("DELETE", f"/v2/stores/{store}/{image.id}")
    answer.close()
    after = _look(glance, image)
    if store in _stores_of(after):
        raise GatewayError(
            f"it is in both stores: Glance did not delete it in {store} and answered "
            f"{answer.status}"
        )


def _add(glance: Operator, image: Image, copy: Copy, with_credentials: bool) -> int:
    uri = location_uri(copy.store.settings, copy.key, with_credentials)
    value = location_document(uri, _metadata(image, copy), image)
    change = {"op": "add", "path": "/locations/-", "value": value}
    try:
        return glance.glance.patch(glance.environ(), image.id, [change]).code
    except GlanceError:  # what came of it is found out by looking
        return 0


def _metadata(image: Image, copy: Copy) -> dict[str, str]:
    """Return what goes with the location: the virtual size must outlive the others."""
    metadata = {"store": copy.store.name}
    for location in image.locations:
        if VIRTUAL_SIZE in location.metadata:
            metadata[VIRTUAL_SIZE] = str(location.metadata[VIRTUAL_SIZE])
    return metadata


def _look(glance: Operator, image: Image) -> Image:
    """Return an image as it is now, if its data is still the same."""
    try:
        after = glance.find(image.id)
    except Refused as refused:
        raise GlanceError(f"Glance does not show it: {refused}") from None
    if after is None:
        raise ImageGone("it was deleted meanwhile")
    if (after.size, after.os_hash_value, after.checksum) != (
        image.size,
        image.os_hash_value,
        image.checksum,
    ):
        raise Conflict("it has other data by now")
    return after


def _is_at(location: Location, copy: Copy) -> bool:
    named = location.metadata.get("store") == copy.store.name
    return named and is_at(location, copy.store.settings, copy.key)


def _stores_of(image: Image) -> list[str]:
    return [str(location.metadata.get("store", "")) for location in image.locations]

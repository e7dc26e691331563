# SPDX-License-Identifier: Apache-2.0
"""The mark: an image property that names the gateway's upload while it is ``saving``.

Glance writes and removes it together with the status, in one transaction.  Users cannot
write a property of that name.  Glance's own undo, and concurrent changes, can leave an
old mark: so a mark is valid only while nothing else has changed in the image.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from typing import Any

from oslo_utils import timeutils

from s3gateway.errors import Conflict
from s3gateway.glance.api import Image

#: The property: a nonce, and the time when the upload began.
MARK = "os_glance_s3gateway_upload"

#: Largest difference between the times in the mark and in the image, in seconds.  They
#: are taken one after the other, and databases keep whole seconds.
_SLACK = 1.0


class Mark:
    """The mark of one upload.

    Glance itself notices an image that is deleted meanwhile, when it saves the image.

    :ivar value: the property's value, empty if it was not written
    :param repo: Glance's repository of images
    :param gone: the exception of the repository for a missing image
    """

    def __init__(self, repo: Any, image: Image, value: str = "", *, gone: Any) -> None:
        self.value = value
        self._repo = repo
        self._image = image
        self._gone = gone

    def check(self) -> None:
        """Check that no other upload is saving the image.

        If the image has no mark, Glance itself finds out.

        :raises Conflict: if another upload is saving it
        """
        with contextlib.suppress(self._gone):
            found = self._repo.get(self._image.id)
            if found.extra_properties.get(MARK, self.value) != self.value:
                raise Conflict("Another upload to the image has taken over.")

    def is_on(self, found: Any) -> bool:
        """Whether an image has this mark, or none if none was written."""
        return bool(found.extra_properties.get(MARK, "") == self.value)


class MarkingDatabase:
    """Glance's database API; it marks an image as long as it is ``saving``."""

    def __init__(self, database: Any, mark: Mark) -> None:
        self._database = database
        self._mark = mark

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    def image_update(
        self, context: Any, image_id: str, values: dict[str, Any], **how: Any
    ) -> Any:
        """Write an image, and set or remove its mark."""
        state = how.get("from_state")
        marked = ""
        if state in ("queued", "saving") and "properties" in values:
            properties = dict(values["properties"])
            properties.pop(MARK, None)
            if state == "queued" and _has_room(properties):
                marked = f"{secrets.token_hex(8)} {time.time():.0f}"
                properties[MARK] = marked
            values = {**values, "properties": properties}
        written = self._database.image_update(context, image_id, values, **how)
        self._mark.value = marked or self._mark.value
        return written


def marked_since(image: Image) -> float | None:
    """Return when the upload of ours that saves an image began, ``None`` if none does.

    :return: seconds since the epoch, by the clock of that gateway
    """
    moment = str(image.properties.get(MARK) or "").partition(" ")[2]
    if image.status != "saving" or image.locations or not moment.isdecimal():
        return None
    changed = timeutils.parse_isotime(str(image.properties["updated_at"]))
    if abs(changed.timestamp() - float(moment)) > _SLACK:
        return None  # somebody has changed the image, or begun another upload
    return float(moment)


def _has_room(properties: dict[str, Any]) -> bool:
    """Whether no property has the mark's name in another case.

    MariaDB ignores the case of names, but Glance's check of names does not.
    """
    return not any(name.lower() == MARK for name in properties)

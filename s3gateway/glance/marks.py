# SPDX-License-Identifier: Apache-2.0
"""The mark of an image that is ``saving`` the data of an upload of ours.

It is a property that is written with the status itself, in one transaction of
Glance's, and goes with it.  Glance lets no user write a property of that name.  Its
own ways back, and changes that meet an upload, may keep one that is of no use any more:
so a mark counts only as long as nothing has changed in the image since.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from typing import Any

from oslo_utils import timeutils

from s3gateway.errors import Conflict
from s3gateway.glance.api import Image

#: Whose upload it is, and since when.
MARK = "os_glance_s3gateway_upload"

#: How far apart the moments in the mark and in the image may be, in seconds: they are
#: taken one after the other, and databases keep whole seconds.
_SLACK = 1.0


class Mark:
    """Says of an image that is ``saving`` which upload saves it.

    An image that is deleted meanwhile is Glance's to notice, when it saves it.

    :ivar value: what it says, empty if it was not written
    :param repo: the repository that the image is read from
    :param gone: what the repository raises if there is no image
    """

    def __init__(self, repo: Any, image: Image, value: str = "", *, gone: Any) -> None:
        self.value = value
        self._repo = repo
        self._image = image
        self._gone = gone

    def check(self) -> None:
        """Make sure that no other upload saves the image by now.

        Where there is no mark at all, Glance itself finds out.

        :raises Conflict: if one does
        """
        with contextlib.suppress(self._gone):
            found = self._repo.get(self._image.id)
            if found.extra_properties.get(MARK, self.value) != self.value:
                raise Conflict("Another upload to the image has taken over.")

    def is_on(self, found: Any) -> bool:
        """Whether an image has it, or none if none was written."""
        return bool(found.extra_properties.get(MARK, "") == self.value)


class MarkingDatabase:
    """Glance's database, in which an image is marked as long as it is ``saving``."""

    def __init__(self, database: Any, mark: Mark) -> None:
        self._database = database
        self._mark = mark

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    def image_update(
        self, context: Any, image_id: str, values: dict[str, Any], **how: Any
    ) -> Any:
        """Write an image."""
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
    """Return when an upload of ours began to save an image, ``None`` if none does.

    :return: in seconds since the epoch, by the clock of its gateway
    """
    moment = str(image.properties.get(MARK) or "").partition(" ")[2]
    if image.status != "saving" or image.locations or not moment.isdecimal():
        return None
    changed = timeutils.parse_isotime(str(image.properties["updated_at"]))
    if abs(changed.timestamp() - float(moment)) > _SLACK:
        return None  # somebody has changed the image, or begun another upload
    return float(moment)


def _has_room(properties: dict[str, Any]) -> bool:
    """Whether there is no property that a database takes for the same.

    MariaDB does not tell upper from lower case, and Glance's look at names does.
    """
    return not any(name.lower() == MARK for name in properties)

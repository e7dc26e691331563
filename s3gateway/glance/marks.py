# SPDX-License-Identifier: Apache-2.0
"""The mark: an image property that names the gateway's upload while it is ``saving``.

Glance writes and removes it together with the status, in one transaction.  Users cannot
write a property of that name.  Glance's own undo, and concurrent changes, can leave an
old mark: so a mark is valid only while nothing else has changed in the image.
"""

from __future__ import annotations

import contextlib
import datetime
import secrets
import time
from collections.abc import Callable
from typing import Any

from oslo_utils import timeutils

from s3gateway.errors import Conflict
from s3gateway.glance.api import Image

#: The property: a nonce, and the time when the upload began.
MARK = "os_glance_s3gateway_upload"

#: Largest difference between the times in the mark and in the image, in seconds.  They
#: are taken one after the other, and databases keep whole seconds.
_SLACK = 1.0

#: How often a mark is written again if the database was too slow for that.
_TRIES = 3


class Mark:
    """The mark of one upload.

    Glance itself notices an image that is deleted meanwhile, when it saves the image.

    :ivar value: the property's value, empty if the image could not be marked, ``None``
        if the upload has not begun
    :param repo: Glance's repository of images
    :param gone: the exception of the repository for a missing image
    """

    def __init__(
        self, repo: Any, image: Image, value: str | None = None, *, gone: Any
    ) -> None:
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
        """Whether an image has this mark, or none if it could not be marked."""
        return bool(found.extra_properties.get(MARK, "") == self.value)


class MarkingDatabase:
    """Glance's database API; it marks an image as long as it is ``saving``.

    :param duplicate: what the database raises if there is a property of a name
    """

    def __init__(self, database: Any, mark: Mark, *, duplicate: Any) -> None:
        self._database = database
        self._mark = mark
        self._duplicate = duplicate

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    def image_update(
        self, context: Any, image_id: str, values: dict[str, Any], **how: Any
    ) -> Any:
        """Write an image, and set or remove its mark."""

        def write(marked: dict[str, str]) -> Any:
            written = {**values, "properties": {**properties, **marked}}
            return self._database.image_update(context, image_id, written, **how)

        state = how.get("from_state")
        if state not in ("queued", "saving") or "properties" not in values:
            return self._database.image_update(context, image_id, values, **how)
        properties = dict(values["properties"])
        properties.pop(MARK, None)
        if state == "saving":
            return write({})
        return self._kept_together(context, image_id, self._begun(write))

    def _begun(self, write: Callable[[dict[str, str]], Any]) -> Any:
        """Write the mark with the status.

        There is none if the database takes the name of a property of the user for the
        same.  What that is depends on its collation: letters of another case or with an
        accent, and blanks at the end.
        """
        self._mark.value = _new_value()
        try:
            return write({MARK: self._mark.value})
        except self._duplicate:
            written = write({})
            self._mark.value = ""
            return written

    def _kept_together(self, context: Any, image_id: str, written: Any) -> Any:
        """Write the mark again if the image was written so late that it does not count.

        Glance tries again after a deadlock, with another ``updated_at`` each time.
        """
        for _ in range(_TRIES):
            changed = written["updated_at"].replace(tzinfo=datetime.timezone.utc)
            if not self._mark.value or _belong(self._mark.value, changed):
                break
            value = _new_value()
            written = self._database.image_update(
                context, image_id, {"properties": {MARK: value}}, from_state="saving"
            )
            self._mark.value = value
        return written


def marked_since(image: Image) -> float | None:
    """Return when the upload of ours that saves an image began, ``None`` if none does.

    :return: seconds since the epoch, by the clock of that gateway
    """
    value = str(image.properties.get(MARK) or "")
    if image.status != "saving" or image.locations:
        return None
    changed = timeutils.parse_isotime(str(image.properties["updated_at"]))
    if not _belong(value, changed):
        return None  # somebody has changed the image, or begun another upload
    return float(_moment(value))


def _new_value() -> str:
    return f"{secrets.token_hex(8)} {time.time():.0f}"


def _moment(value: str) -> str:
    return value.partition(" ")[2]


def _belong(value: str, changed: datetime.datetime) -> bool:
    """Whether a mark was written when the image was changed last."""
    moment = _moment(value)
    return moment.isdecimal() and (
        abs(changed.replace(microsecond=0).timestamp() - float(moment)) <= _SLACK
    )

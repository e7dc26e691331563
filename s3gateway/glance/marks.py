# SPDX-License-Identifier: Apache-2.0
"""The mark of an image that is ``saving`` the data of an upload of ours.

It is a property that is written with the status itself, in one transaction of
Glance's, and goes with it.  Glance lets no user write a property of that name.  Its
own ways back, and changes that meet an upload, may keep one that is of no use any more:
so a mark counts only as long as nothing has changed in the image since.
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

#: Whose upload it is, and since when.
MARK = "os_glance_s3gateway_upload"

#: How far apart the moments in the mark and in the image may be, in seconds: they are
#: taken one after the other, and databases keep whole seconds.
_SLACK = 1.0

#: How often a mark is written again if the database was too slow for that.
_TRIES = 3


class Mark:
    """Says of an image that is ``saving`` which upload saves it.

    An image that is deleted meanwhile is Glance's to notice, when it saves it.

    :ivar value: what it says, empty if the image could not be marked, ``None`` if the
        upload has not begun
    :param repo: the repository that the image is read from
    :param gone: what the repository raises if there is no image
    """

    def __init__(
        self, repo: Any, image: Image, value: str | None = None, *, gone: Any
    ) -> None:
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
        """Whether an image has it, or none if it could not be marked."""
        return bool(found.extra_properties.get(MARK, "") == self.value)


class MarkingDatabase:
    """Glance's database, in which an image is marked as long as it is ``saving``.

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
        """Write an image."""

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
    """Return when an upload of ours began to save an image, ``None`` if none does.

    :return: in seconds since the epoch, by the clock of its gateway
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

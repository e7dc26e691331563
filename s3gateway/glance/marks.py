# SPDX-License-Identifier: Apache-2.0
"""The mark of an image that is ``saving`` the data of an upload of ours."""

from __future__ import annotations

import contextlib
import secrets
import time
from typing import Any

from s3gateway.errors import Conflict
from s3gateway.glance.api import Image

#: What an image has while an upload of ours saves its data: whose it is, and since
#: when.  Glance lets no user write a property of that name, and takes it away when it
#: saves the image.
MARK = "os_glance_s3gateway_upload"


class Mark:
    """Says of an image that is ``saving`` which upload saves it.

    An image that is deleted meanwhile is Glance's to notice, when it saves it.

    :param repo: the repository that it is written to
    :param value: what it says, if it was written before
    :param gone: what the repository raises if there is no image
    """

    def __init__(self, repo: Any, image: Image, value: str = "", *, gone: Any) -> None:
        self._repo = repo
        self._image = image
        self._value = value
        self._gone = gone

    def put(self) -> None:
        """Write it.

        :raises Conflict: if another upload has taken the image over
        """
        value = f"{secrets.token_hex(8)} {time.time():.0f}"
        try:
            found = self._repo.get(self._image.id)
        except self._gone:
            return
        other = found.extra_properties.get(MARK, "")
        if found.status != "saving" or other not in ("", self._image.properties[MARK]):
            raise Conflict("Another upload to the image has taken over.")
        if other:  # it was there before, and nobody has taken it away
            self._repo.delete_property_atomic(found, MARK, other)
        self._repo.set_property_atomic(found, MARK, value)
        self._value = value

    def check(self) -> None:
        """Make sure that the image is still being saved by this upload.

        :raises Conflict: if another one has taken over
        """
        with contextlib.suppress(self._gone):
            if not self.is_on(self._repo.get(self._image.id)):
                raise Conflict("Another upload to the image has taken over.")

    def is_on(self, found: Any) -> bool:
        """Whether an image has it, or none if none was written."""
        return bool(found.extra_properties.get(MARK, "") == self._value)


def marked_since(image: Image) -> float | None:
    """Return when an upload of ours began to save an image, ``None`` if none does.

    :return: in seconds since the epoch, by the clock of its gateway
    """
    moment = str(image.properties.get(MARK) or "").partition(" ")[2]
    return float(moment) if moment.isdecimal() else None

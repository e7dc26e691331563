# SPDX-License-Identifier: Apache-2.0
"""Images whose objects are named after other images, as Glance shows them now.

``restore --deleted`` makes such images.  A look at the image that the key of an object
begins with does not find them, and they may have been made a moment ago.
"""

from __future__ import annotations

import datetime

from oslo_utils import timeutils

from s3gateway.glance.api import Image
from s3gateway.manage.operator import Operator
from s3gateway.manage.remains import spelled
from s3gateway.upload.leftovers import keys_of

#: By so much the clocks of Glance's hosts and ours may differ.
_CLOCKS = datetime.timedelta(minutes=5)


class Needs:
    """The objects that images need though they are named after others.

    All images are to be noted once.  After that only those are asked for that were
    changed since; so it is made before they are listed.
    """

    def __init__(self, operator: Operator) -> None:
        self._operator = operator
        self._images: dict[str, Image] = {}
        self._since = timeutils.utcnow(with_timezone=True)

    def note(self, image: Image) -> None:
        """Take note of what an image needs."""
        for key in keys_of(image):
            if spelled(key).lower() != image.id.lower():
                self._images[key] = image

    def image_of(self, key: str) -> Image | None:
        """Return the image that needs an object now, ``None`` if none does.

        :raises Refused: if Glance does not list images
        """
        now = timeutils.utcnow(with_timezone=True)
        for image in self._operator.images(self._since - _CLOCKS):
            self.note(image)
        self._since = now
        return self._images.get(key)

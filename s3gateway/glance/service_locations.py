# SPDX-License-Identifier: Apache-2.0
"""An image's locations, asked of Glance as a service: for downloads alone.

Glance's ``GET /v2/images/{id}/locations`` shows them to services, whatever
``show_multiple_locations`` says.  Its twin for writing, ``POST``, is of no use for
uploads: see the decision record "What can be done without show_multiple_locations".
"""

from __future__ import annotations

import dataclasses

from oslo_log import log as logging

from s3gateway.glance.api import Glance
from s3gateway.glance.api import Image
from s3gateway.glance.api import Refused
from s3gateway.glance.identity import Identity
from s3gateway.http.wsgi import Environ

LOG = logging.getLogger(__name__)


class ServiceLocations:
    """Says whose data may be read: the caller is shown the image, a service the rest.

    :param as_service: turns a request into one of the gateway's own user
    """

    def __init__(self, glance: Glance, as_service: Identity) -> None:
        self._glance = glance
        self._as_service = as_service
        self._told = False

    def show(self, environ: Environ, image_id: str) -> Image:
        """Return an image that the caller sees, with its locations.

        :raises Refused: if the caller may not, there is none, or Glance shows its
            locations to no service
        :raises GlanceError: if Glance does not answer
        """
        image = self._glance.show(environ, image_id)
        if image.status != "active":
            return image
        try:
            locations = self._glance.locations(self._as_service(environ), image.id)
        except Refused as refused:
            self._tell(environ, image, refused)
            raise
        return dataclasses.replace(image, locations=locations)

    def may_download(self, environ: Environ, image: Image) -> bool:
        """Whether the caller may have the data of an image that was shown."""
        return self._glance.may_download(environ, image)

    def _tell(self, environ: Environ, image: Image, refused: Refused) -> None:
        """Warn once, unless the image was deleted meanwhile."""
        if self._told or self._glance.find(environ, image.id) is None:
            return
        self._told = True
        LOG.warning(
            "Downloads are left to Glance: it answered %s to GET "
            "/v2/images/{id}/locations. Give [service_user] the roles service and "
            "admin, and look at the policy fetch_image_location",
            refused.answer.status,
        )

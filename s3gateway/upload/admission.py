# SPDX-License-Identifier: Apache-2.0
"""Decides whether the gateway takes a PUT of image data, before reading the body.

It passes requests that Glance would refuse, so that Glance itself answers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from oslo_log import log as logging

from s3gateway.config.settings import Settings
from s3gateway.config.stores import MIB
from s3gateway.glance.api import Glance
from s3gateway.glance.api import Image
from s3gateway.glance.api import Refused
from s3gateway.glance.policy import Rules
from s3gateway.glance.registration import Registrar
from s3gateway.http.request_body import Body
from s3gateway.http.wsgi import Environ
from s3gateway.store import ObjectStore
from s3gateway.upload import expected
from s3gateway.upload import passing
from s3gateway.upload import requests
from s3gateway.upload.expected import Promise

LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Admitted:
    """An upload that the gateway takes, with its body unread.

    :ivar algorithm: of ``os_hash_value``
    """

    image: Image
    store: ObjectStore
    body: Body
    algorithm: str
    promises: list[Promise]


class Admission:
    """Decides which uploads the gateway takes."""

    def __init__(
        self,
        glance: Glance,
        stores: Mapping[str, ObjectStore],
        settings: Settings,
        rules: Rules,
        registrar: Registrar,
    ) -> None:
        self._glance = glance
        self._stores = stores
        self._settings = settings
        self._rules = rules
        self._registrar = registrar

    def admit(self, environ: Environ, image_id: str) -> Admitted | None:
        """Return the upload, ``None`` to leave it to Glance.

        :raises Refused: if the caller may upload but not register
        :raises RequestError: if the announced size or digest is not acceptable
        """
        if not self._stores:
            return _left_to_glance(image_id, "unseen")
        store = requests.chosen_store(environ, self._stores, self._settings)
        if store is None or not requests.is_upload(environ):
            return _left_to_glance(image_id, "store" if store is None else "no_data")
        try:
            image = self._glance.show(environ, image_id)
        except Refused:
            return _left_to_glance(image_id, "refused")
        passing.refuse_second_data(image)
        if reason := passing.unfit(image):
            return _left_to_glance(image_id, reason)
        if not self._rules.may_upload(environ, image):
            return _left_to_glance(image_id, "policy")
        algorithm = image.os_hash_algo or self._settings.hashing_algorithm
        if not self._may_register(environ, image, algorithm):
            return _left_to_glance(image_id, "location")
        body = requests.body_of(environ, self._settings)
        if self._is_over_limit(environ, body.expected or 0):
            return _left_to_glance(image_id, "limits")
        body.check_expected()
        promised = expected.made(environ, image)
        LOG.debug("Upload to image %s goes to store %s", image_id, store.name)
        return Admitted(image, store, body, algorithm, promised)

    def writable(self, environ: Environ, image_id: str) -> Image | None:
        """Return an image that waits for data from this caller, ``None`` for any other.

        :raises Conflict: if it has data nevertheless
        """
        try:
            image = self._glance.show(environ, image_id)
        except Refused:
            return None
        passing.refuse_second_data(image)
        waits = image.status in ("queued", "uploading")
        return image if waits and self._rules.may_upload(environ, image) else None

    def _may_register(self, environ: Environ, image: Image, algorithm: str) -> bool:
        """Whether Glance would let the caller add a location.

        After a 403 the upload must fail here: the policy lets this caller upload, but
        not register.
        """
        answer = self._registrar.rehearse(environ, image, algorithm)
        if answer.code == 403:
            LOG.error(
                "Image %s: the caller may upload data but not set a location. Allow "
                "all users in Glance's policy rule set_image_location, or set "
                "[s3gateway] register_as = service",
                image.id,
            )
            raise Refused(answer)
        return answer.code == 400

    def _is_over_limit(self, environ: Environ, size: int) -> bool:
        """Whether the project's unified limits leave no room (``ks_quota``)."""
        if not self._settings.use_keystone_limits:
            return False
        usage = self._glance.usage(environ)
        more = {"image_size_total": size // MIB, "image_count_uploading": 1}
        return any(
            0 <= usage[name]["limit"] < usage[name]["usage"] + count  # -1: no limit
            for name, count in more.items()
            if name in usage
        )


def _left_to_glance(image_id: str, reason: str) -> Admitted | None:
    passing.left_to_glance(image_id, reason)
    return None

# SPDX-License-Identifier: Apache-2.0
"""What an upload inside Glance may leave, and the claim that names it if needed."""

from __future__ import annotations

import dataclasses
import time

from oslo_log import log as logging

from s3gateway import uris
from s3gateway.errors import GatewayError
from s3gateway.upload.claims import Attempt
from s3gateway.upload.exclusion import Claims
from s3gateway.upload.holding import Claim

LOG = logging.getLogger(__name__)


class Traces:
    """What an upload may leave; it gets a claim as soon as it needs one.

    :ivar used: whether anything was written
    """

    def __init__(self, claims: Claims, attempt: Attempt) -> None:
        self.attempt = attempt
        self.claim: Claim | None = None
        self.used = False
        self._claims = claims
        self._image_id = uris.image_id_of(attempt.key)
        self._due = time.monotonic() + claims.grace / 5

    def take_over(self) -> None:
        """Take over what a dead upload has left.

        :raises Conflict: if that upload is alive
        """
        self.claim = self._claims.take(self._image_id, self.attempt)

    def began(self, upload_id: str) -> None:
        """Record the multipart upload, before its first part is sent."""
        self.used = True
        self.attempt = dataclasses.replace(self.attempt, upload_id=upload_id)
        if self.claim is None:
            self.claim = self._claims.record(self._image_id, self.attempt)
        else:
            self.claim.began(upload_id)

    def keep(self) -> None:
        """Renew the claim from time to time; call it at every progress."""
        self.used = True
        if self.claim is not None:
            self.claim.keep()
        elif time.monotonic() >= self._due:
            self.claim = self._claims.record(self._image_id, self.attempt)

    def leave(self) -> None:
        """Name what is left to collect; never raises."""
        try:
            if self.claim is None:
                self.claim = self._claims.record(self._image_id, self.attempt)
            self.claim.leave()
        except GatewayError as error:
            LOG.warning("%s was left; gc will find it: %s", self.attempt.key, error)

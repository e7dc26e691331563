# SPDX-License-Identifier: Apache-2.0
"""PUT of image data that Glance's API registers: an upload, from top to bottom.

``admission`` decides whether the gateway takes it, and a claim keeps other uploads out.
Three phases follow, and errors in each have different consequences:

* *receive*: ``reception`` writes the bytes to the store.  After an error the object is
  deleted.
* *register*: ``registration`` makes the image active.  After an error the object is
  deleted only if the image certainly does not refer to it.
* *tell*: releases the claim; notifies, counts and logs.  An error no longer fails the
  upload.

Every attempt has its own key, and only verified data is registered.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from collections.abc import Mapping

from oslo_log import log as logging

from s3gateway import uris
from s3gateway.errors import Conflict
from s3gateway.errors import ImageGone
from s3gateway.errors import NotRegistered
from s3gateway.errors import Overwritten
from s3gateway.errors import StoreError
from s3gateway.glance.api import Glance
from s3gateway.glance.api import Image
from s3gateway.glance.api import Refused
from s3gateway.glance.notifications import Notifications
from s3gateway.glance.registration import Registrar
from s3gateway.glance.registration import Stored
from s3gateway.http import request_body
from s3gateway.http.wsgi import Answer
from s3gateway.http.wsgi import Environ
from s3gateway.monitoring import transfers
from s3gateway.monitoring.transfers import Transfer
from s3gateway.store import ObjectStore
from s3gateway.upload import requests
from s3gateway.upload.admission import Admission
from s3gateway.upload.admission import Admitted
from s3gateway.upload.claims import Attempt
from s3gateway.upload.exclusion import Claims
from s3gateway.upload.holding import Claim
from s3gateway.upload.inspection import Inspection
from s3gateway.upload.leftovers import collect
from s3gateway.upload.leftovers import give_back
from s3gateway.upload.reception import Incoming
from s3gateway.upload.reception import Reception
from s3gateway.upload.written import Written

LOG = logging.getLogger(__name__)

# The headers of Glance's own 204.
_STOCK_HEADERS = [("Content-Type", "text/html; charset=UTF-8")]


class Uploads:
    """Takes uploads to S3 stores, and registers them through Glance's API.

    :param inspect: makes the inspection of an image's content
    :param written: is told of objects that are about to be registered
    """

    def __init__(
        self,
        glance: Glance,
        stores: Mapping[str, ObjectStore],
        *,
        admission: Admission,
        claims: Claims,
        reception: Reception,
        inspect: Callable[[Image], Inspection],
        registrar: Registrar,
        notifications: Notifications,
        written: Written,
    ) -> None:
        self._written = written
        self._glance = glance
        self._stores = stores
        self._admission = admission
        self._claims = claims
        self._reception = reception
        self._inspect = inspect
        self._registrar = registrar
        self._notifications = notifications

    def put(self, environ: Environ, image_id: str) -> Answer:
        """Answer ``PUT /v2/images/{id}/file``.

        :raises Refused: with Glance's answer, if Glance refused
        :raises GatewayError: if the upload failed.  Only data that the image may refer
            to is left
        """
        upload = self._admission.admit(environ, image_id)
        if upload is None:
            return self.keep_out(environ, image_id)
        transfer = self._transfer(environ, upload)
        image_id = upload.image.id  # Glance's spelling, so that all share one claim
        key = uris.new_key(image_id)
        claim = self._claims.take(image_id, Attempt(upload.store.name, key))
        with transfer:
            stored = self._receive(environ, upload, claim)
            if stored is not None:
                image = self._register(environ, upload, stored, claim)
                self._tell(environ, transfer, claim, image, stored)
                return Answer("204 No Content", _STOCK_HEADERS, [])
            transfer.end(transfers.EMPTY)
        return self._glance.pass_through(request_body.replaced(environ, b""))

    def keep_out(self, environ: Environ, image_id: str) -> Answer:
        """Let Glance take data by itself, and keep the gateway's uploads out.

        :raises Conflict: if one is running
        """
        image = self._admission.writable(environ, image_id)
        if image is None or not self._stores:
            return self._glance.pass_through(environ)
        key = uris.new_key(image.id)
        try:
            claim = self._claims.take(image.id, Attempt(next(iter(self._stores)), key))
        except StoreError as error:
            LOG.warning("Uploads to image %s are not kept out: %s", image_id, error)
            return self._glance.pass_through(environ)
        try:
            return self._glance.pass_through(environ)
        finally:
            self._end(environ, claim)

    def _transfer(self, environ: Environ, upload: Admitted) -> Transfer:
        return Transfer(
            "upload",
            upload.image.id,
            upload.store.name,
            lambda: upload.body.received,
        ).asked_by(environ)

    def _receive(
        self, environ: Environ, upload: Admitted, claim: Claim
    ) -> Stored | None:
        """Write the body to the store; return ``None`` if it is empty.

        No image refers to the object yet: after any error it is deleted.
        """
        try:
            self._notifications.prepare(upload.image, upload.store.name)
            incoming = Incoming(
                image_id=upload.image.id,
                store=upload.store,
                body=upload.body,
                length=upload.body.expected,
                algorithm=upload.algorithm,
                promises=upload.promises,
            )
            stored = self._reception.receive(
                incoming, claim, self._inspect(upload.image)
            )
            if stored is not None:
                self._claims.confirm(claim)
                return stored
        except BaseException as error:
            self._give_up(environ, claim, error)
            requests.refuse_another_try(error, upload.body)
            raise
        self._end(environ, claim)
        return None

    def _register(
        self, environ: Environ, upload: Admitted, stored: Stored, claim: Claim
    ) -> Image:
        """Make the image active.

        Only after the four errors below is it certain that the image does not refer to
        the object.  After any other error the object and the claim stay: the next
        upload, or ``gc``, looks at the image.
        """
        known = self._written.known(stored.store.name, stored.key, stored.size)
        try:
            with known:
                return self._registrar.register(environ, upload.image, stored)
        except Overwritten:
            self._end(environ, claim)  # the image refers to the object
            raise
        except (Refused, NotRegistered, Conflict, ImageGone) as error:
            self._give_up(environ, claim, error)
            raise

    def _tell(
        self,
        environ: Environ,
        transfer: Transfer,
        claim: Claim,
        image: Image,
        stored: Stored,
    ) -> None:
        """Finish an upload whose image is active; an error in a step skips no other."""
        steps: list[Callable[[], None]] = [
            lambda: self._end(environ, claim),
            lambda: self._notifications.uploaded(image, stored.virtual_size),
            transfer.end,
        ]
        for step in steps:
            try:
                step()
            except Exception:
                LOG.exception(
                    "Image %s has its data, but what follows failed", image.id
                )

    def _give_up(self, environ: Environ, claim: Claim, error: BaseException) -> None:
        """Delete the object, which no image refers to, and end the claim."""
        self._end(environ, claim, claim.attempt)
        self._notifications.upload_failed(
            f"Failed to upload image data for image {claim.image_id}: {error}"
        )

    def _end(self, environ: Environ, claim: Claim, *failed: Attempt) -> None:
        """Delete what is not needed, and end the claim.

        :param failed: attempts that the image does not refer to
        """
        if collect(failed, None, self._stores):
            return  # a store failed: the claim goes on naming the attempt
        find = functools.partial(self._glance.find, environ, claim.image_id)
        give_back(claim, find, self._stores)

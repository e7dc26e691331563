# SPDX-License-Identifier: Apache-2.0
"""PUT of an image's data: the way of an upload, from top to bottom.

``admission`` decides whether it is ours, a claim keeps others out, ``reception``
brings the bytes into the store, ``registration`` makes the image active.  Nothing
becomes visible before it is verified, and every attempt has a key of its own.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from oslo_log import log as logging

from s3gateway.errors import GatewayError
from s3gateway.errors import GlanceError
from s3gateway.errors import StoreError
from s3gateway.glance.api import Glance
from s3gateway.glance.api import Refused
from s3gateway.glance.notifications import Notifications
from s3gateway.glance.registration import Registrar
from s3gateway.http import request_body
from s3gateway.http.wsgi import Answer
from s3gateway.http.wsgi import Environ
from s3gateway.monitoring import transfers
from s3gateway.monitoring.transfers import Transfer
from s3gateway.store import ObjectStore
from s3gateway.upload.admission import Admission
from s3gateway.upload.admission import Admitted
from s3gateway.upload.claims import Attempt
from s3gateway.upload.claims import Claim
from s3gateway.upload.claims import Claims
from s3gateway.upload.leftovers import collect
from s3gateway.upload.reception import Reception

LOG = logging.getLogger(__name__)

# What Glance's own 204 has.
_STOCK_HEADERS = [("Content-Type", "text/html; charset=UTF-8")]

# A registration may be refused with these because of the caller's request; with
# anything else it is Glance's fault or our own.
_CALLERS_FAULT = (401, 403, 409, 410, 413)


class Uploads:
    """Takes over the uploads that go to an S3 store."""

    def __init__(
        self,
        glance: Glance,
        stores: Mapping[str, ObjectStore],
        *,
        admission: Admission,
        claims: Claims,
        reception: Reception,
        registrar: Registrar,
        notifications: Notifications,
    ) -> None:
        self._glance = glance
        self._stores = stores
        self._admission = admission
        self._claims = claims
        self._reception = reception
        self._registrar = registrar
        self._notifications = notifications

    def put(self, environ: Environ, image_id: str) -> Answer:
        """Answer ``PUT /v2/images/{id}/file``.

        :raises Refused: with Glance's answer, if that is the right one
        :raises GatewayError: if the upload failed; nothing of it is left
        """
        upload = self._admission.admit(environ, image_id)
        if upload is None:
            return self._glance.pass_through(environ)
        key = f"{image_id}.{secrets.token_hex(8)}"
        claim = self._claims.take(image_id, Attempt(upload.store.name, key))
        self._notifications.prepare(upload.image, upload.store.name)
        try:
            with self._transfer(environ, upload) as transfer:
                registered = self._take(environ, upload, key, claim)
                transfer.end(transfers.OK if registered else transfers.EMPTY)
        except GlanceError:
            # Nobody knows whether the image refers to the object.  It stays, and so
            # does the claim: whoever collects it will look.
            raise
        except BaseException as error:
            self._drop(upload.store, key)
            self._end(environ, claim)
            self._notifications.upload_failed(
                f"Failed to upload image data for image {image_id}: {error}"
            )
            raise
        self._end(environ, claim)
        if not registered:
            return self._glance.pass_through(request_body.replaced(environ, b""))
        return Answer("204 No Content", _STOCK_HEADERS, [])

    def _transfer(self, environ: Environ, upload: Admitted) -> Transfer:
        return Transfer(
            "upload",
            upload.image.id,
            upload.store.name,
            lambda: upload.body.received,
        ).asked_by(environ)

    def _take(self, environ: Environ, upload: Admitted, key: str, claim: Claim) -> bool:
        """Receive and register a body; whether there was anything in it."""
        try:
            stored = self._reception.receive(upload, key, claim)
            if stored is None:
                return False
            claim.confirm()
            image = self._registrar.register(environ, upload.image.id, stored)
        except Refused as refused:
            if refused.answer.code in _CALLERS_FAULT:
                raise
            raise GatewayError(
                f"Glance did not take image {upload.image.id}: {refused.answer.status}"
            ) from None
        except StoreError as error:
            # The body is used up: a client that tries again on 503, as Nova does,
            # would send an empty one.
            if error.status == 503 and upload.body.received:
                raise StoreError(str(error)) from error
            raise
        self._notifications.uploaded(image, stored.virtual_size)
        return True

    def _end(self, environ: Environ, claim: Claim) -> None:
        """Collect what dead uploads left, and take the claim back."""
        if claim.leftovers:
            try:
                image = self._glance.find(environ, claim.image_id)
            except (Refused, GlanceError):
                return  # for somebody else to collect
            collect(claim.leftovers, image, self._stores)
        claim.release()

    def _drop(self, store: ObjectStore, key: str) -> None:
        try:
            store.delete(key)
        except StoreError as error:
            LOG.error("%s may have been left in store %s: %s", key, store.name, error)

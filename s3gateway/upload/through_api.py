# SPDX-License-Identifier: Apache-2.0
"""PUT of an image's data, registered through Glance's API: the way from top to bottom.

``admission`` decides whether it is ours, and a claim keeps others out.  Then there
are three phases.  What goes wrong in each has another consequence:

* *receive*: ``reception`` brings the bytes into the store.  If it fails, the object
  is dropped.
* *register*: ``registration`` makes the image active.  The object is dropped only if
  it is certain that the image does not refer to it.
* *tell*: the claim goes, and notifications, metrics and the log hear of it.  Nothing
  fails any more.

Every attempt has a key of its own, and nothing is registered before it is verified.
"""

from __future__ import annotations

import functools
import secrets
from collections.abc import Callable
from collections.abc import Mapping

from oslo_log import log as logging

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
from s3gateway.upload.leftovers import collect
from s3gateway.upload.leftovers import give_back
from s3gateway.upload.reception import Incoming
from s3gateway.upload.reception import Reception
from s3gateway.upload.reception import Watcher

LOG = logging.getLogger(__name__)

# What Glance's own 204 has.
_STOCK_HEADERS = [("Content-Type", "text/html; charset=UTF-8")]


class Uploads:
    """Takes over the uploads that go to an S3 store.

    :param inspect: makes what judges an image's content
    """

    def __init__(
        self,
        glance: Glance,
        stores: Mapping[str, ObjectStore],
        *,
        admission: Admission,
        claims: Claims,
        reception: Reception,
        inspect: Callable[[Image], Watcher],
        registrar: Registrar,
        notifications: Notifications,
    ) -> None:
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

        :raises Refused: with Glance's answer, if that is the right one
        :raises GatewayError: if the upload failed; nothing of it is left but what the
            image may refer to
        """
        upload = self._admission.admit(environ, image_id)
        if upload is None:
            return self.keep_out(environ, image_id)
        transfer = self._transfer(environ, upload)
        image_id = upload.image.id  # as Glance spells it: for all one claim
        key = f"{image_id}.{secrets.token_hex(8)}"
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
        """Let Glance take data in its own ways, with all uploads of ours kept out.

        :raises Conflict: if one is running
        """
        image = self._admission.writable(environ, image_id)
        if image is None or not self._stores:
            return self._glance.pass_through(environ)
        key = f"{image.id}.{secrets.token_hex(8)}"
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
        """Bring the body into the store; ``None`` if there was nothing in it.

        Whatever goes wrong: no image refers to the object, and it is dropped.
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

        Only these four errors say that the image does not refer to the object.  After
        any other nobody knows: the object stays, and so does the claim, for the next
        upload or ``gc`` to look.
        """
        try:
            return self._registrar.register(environ, upload.image, stored)
        except Overwritten:
            self._end(environ, claim)  # the object is the image's
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
        """Do what is to be done once the image has its data; no error ends it."""
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
                    "Image %s has its data, and what follows failed", image.id
                )

    def _give_up(self, environ: Environ, claim: Claim, error: BaseException) -> None:
        """Drop the object, which no image refers to, and take the claim back."""
        self._end(environ, claim, claim.attempt)
        self._notifications.upload_failed(
            f"Failed to upload image data for image {claim.image_id}: {error}"
        )

    def _end(self, environ: Environ, claim: Claim, *failed: Attempt) -> None:
        """Collect what is not needed; take the claim back if nothing of it is left.

        :param failed: attempts that the image does not refer to
        """
        if collect(failed, None, self._stores):
            return  # the claim names it, and its store does not answer
        find = functools.partial(self._glance.find, environ, claim.image_id)
        give_back(claim, find, self._stores)

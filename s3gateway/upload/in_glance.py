# SPDX-License-Identifier: Apache-2.0
"""PUT of an image's data inside Glance: the way of an upload, from top to bottom.

Glance's own code takes the upload (``glance.inside``): it says ``saving``, asks its
policy and its quotas, and makes the image ``active``, all on conditions of its
database, so that of several uploads one wins.  When it wants the bytes stored it calls
back, and ``reception`` brings them into the store.

A claim is made only where a crash would leave something that nobody else names: a
multipart upload, or one that takes long.  An object that no image refers to says which
image it was for, and ``gc`` finds it.
"""

from __future__ import annotations

import dataclasses
import secrets
import time
from collections.abc import Mapping

from oslo_log import log as logging

from s3gateway.config.settings import Settings
from s3gateway.errors import GlanceError
from s3gateway.errors import StoreError
from s3gateway.glance.api import Glance
from s3gateway.glance.api import Image
from s3gateway.glance.controllers import Added
from s3gateway.glance.controllers import Data
from s3gateway.glance.controllers import Verifier
from s3gateway.glance.image import location_uri
from s3gateway.glance.inside import Inside
from s3gateway.glance.marks import marked_since
from s3gateway.glance.policy import Rules
from s3gateway.http.request_body import Body
from s3gateway.http.wsgi import Answer
from s3gateway.http.wsgi import Environ
from s3gateway.monitoring import transfers
from s3gateway.monitoring.transfers import Transfer
from s3gateway.store import ObjectStore
from s3gateway.streams.retries import while_nothing_moved
from s3gateway.upload import expected
from s3gateway.upload import passing
from s3gateway.upload import requests
from s3gateway.upload.checked import CheckedBody
from s3gateway.upload.checked import Signature
from s3gateway.upload.claims import Attempt
from s3gateway.upload.exclusion import Claims
from s3gateway.upload.leftovers import collect
from s3gateway.upload.leftovers import keys_of
from s3gateway.upload.reception import Incoming
from s3gateway.upload.reception import Reception
from s3gateway.upload.through_api import Uploads
from s3gateway.upload.traces import Traces

LOG = logging.getLogger(__name__)

#: How long a store counts as usable that was.
_PROOF = 60.0  # seconds


class UploadsInGlance:
    """Takes over the uploads that go to an S3 store, inside Glance.

    :param otherwise: takes those of which Glance has not said who sends them
    :param with_credentials: whether location URIs hold them, as those of glance_store
        before 5.6 do
    """

    def __init__(
        self,
        inside: Inside,
        glance: Glance,
        stores: Mapping[str, ObjectStore],
        settings: Settings,
        *,
        rules: Rules,
        claims: Claims,
        reception: Reception,
        otherwise: Uploads,
        with_credentials: bool,
    ) -> None:
        self._inside = inside
        self._glance = glance
        self._stores = stores
        self._settings = settings
        self._rules = rules
        self._claims = claims
        self._reception = reception
        self._otherwise = otherwise
        self._proven_until: dict[str, float] = {}
        self._with_credentials = with_credentials

    def put(self, environ: Environ, image_id: str) -> Answer:
        """Answer ``PUT /v2/images/{id}/file``.

        :raises GatewayError: if the upload failed; nothing of it is left but what the
            image may refer to
        """
        if not self._inside.knows(environ):
            return self._otherwise.put(environ, image_id)
        image = self._inside.image(environ, image_id)
        if image is None:
            return self._pass(environ, image_id, "refused")
        passing.refuse_second_data(image)
        store = requests.chosen_store(environ, self._stores, self._settings)
        if store is None or not requests.is_upload(environ):
            return self._pass(environ, image_id, "no_data" if store else "store")
        dead = self._is_dead(environ, image)
        if reason := passing.unfit(image, verifies=True, taken_over=dead):
            return self._pass(environ, image_id, reason)
        return self._take(environ, image, store, dead=dead)

    def _take(
        self, environ: Environ, image: Image, store: ObjectStore, *, dead: bool
    ) -> Answer:
        """Take an upload.

        :param dead: whether another one is taken over
        """
        attempt = Attempt(store.name, f"{image.id}.{secrets.token_hex(8)}")
        traces = Traces(self._claims, attempt)
        if dead:
            traces.take_over()
            if not self._inside.restore(image):
                self._end(environ, image.id, traces)
                return self._pass(environ, image.id, "status")
        body = requests.body_of(environ, self._settings, traces.keep)
        upload = _Upload(environ, image, store, body, traces)
        transfer = Transfer("upload", image.id, store.name, lambda: body.received)
        with transfer.asked_by(environ):
            answer = self._run(upload)
            transfer.end(_outcome(answer, body))
        return answer

    def keep_out(self, environ: Environ, image_id: str) -> Answer:
        """Let Glance take data in its own ways: its states keep others out.

        :raises Conflict: if there is data already, from an upload that went wrong
        """
        if self._inside.knows(environ):
            image = self._inside.image(environ, image_id)
            if image is not None:
                passing.refuse_second_data(image)
        return self._glance.pass_through(environ)

    def _pass(self, environ: Environ, image_id: str, reason: str) -> Answer:
        passing.left_to_glance(image_id, reason)
        return self._glance.pass_through(environ)

    def _is_dead(self, environ: Environ, image: Image) -> bool:
        """Whether an image is ``saving`` because of an upload of ours that died.

        Others have no mark.  One of ours that takes long has a claim.
        """
        since = marked_since(image)
        if since is None or time.time() - since < self._settings.claim_grace:
            return False
        try:
            with while_nothing_moved():
                dead = self._claims.are_dead(image.id)
        except StoreError as error:
            LOG.warning(
                "Whether image %s is being saved is not known: %s", image.id, error
            )
            return False
        if not dead or not self._rules.may_upload(environ, image):
            return False
        LOG.warning("Taking over image %s, which nobody is saving", image.id)
        return True

    def _run(self, upload: _Upload) -> Answer:
        def add(data: Data, algorithm: str, verifier: Verifier | None) -> Added | None:
            return self._receive(upload, data, algorithm, verifier)

        try:
            answer = self._inside.upload(
                upload.environ, upload.image, upload.source, add
            )
        except BaseException as error:
            self._proven_until.pop(upload.store.name, None)
            self._give_up(upload)
            requests.refuse_another_try(error, upload.body)
            raise
        if answer.code == 204:
            self._end(upload.environ, upload.image.id, upload.traces)
        else:
            self._give_up(upload)
        return answer

    def _receive(
        self, upload: _Upload, data: Data, algorithm: str, verifier: Verifier | None
    ) -> Added | None:
        """Bring the bytes into the store, as glance_store would."""
        upload.body.check_expected()
        self._make_sure_of(upload.store)
        upload.source.checked = data
        incoming = Incoming(
            image_id=upload.image.id,
            store=upload.store,
            body=upload.source,
            length=upload.body.expected,
            algorithm=algorithm,
            promises=expected.made(upload.environ, upload.image),
        )
        stored = self._reception.receive(incoming, upload.traces, Signature(verifier))
        if stored is None:
            return None
        name = upload.store.name
        return Added(
            url=str(location_uri(stored.store, stored.key, self._with_credentials)),
            size=stored.size,
            checksum=stored.checksum,
            multihash=stored.os_hash_value,
            metadata={"store": name} if self._settings.multi_store else {},
        )

    def _make_sure_of(self, store: ObjectStore) -> None:
        """Ask a store for a sign of life if it has given none for a while.

        A client that is answered 503 may try again, but only as long as its body is
        not used up.

        :raises StoreError: if it cannot be used at all
        """
        if time.monotonic() < self._proven_until.get(store.name, 0.0):
            return
        try:
            with while_nothing_moved():
                store.ping()
        except StoreError as error:
            if error.store_wide:  # not a right that writing does not need
                raise
        self._proven_until[store.name] = time.monotonic() + _PROOF

    def _give_up(self, upload: _Upload) -> None:
        """Drop what was stored, unless the image refers to it; never raises."""
        if not upload.traces.used:
            return
        try:
            image = self._inside.image(upload.environ, upload.image.id)
        except GlanceError:
            upload.traces.leave()  # for the next upload, or gc, to look
            return
        attempt = upload.traces.attempt
        needed = image is not None and attempt.key in keys_of(image)
        if collect([attempt], image if needed else None, self._stores):
            upload.traces.leave()
        else:
            self._end(upload.environ, upload.image.id, upload.traces)

    def _end(self, environ: Environ, image_id: str, traces: Traces) -> None:
        """Collect what dead uploads left, and take the claim back; never raises."""
        claim = traces.claim
        if claim is None:
            return
        try:
            image = self._inside.image(environ, image_id)
            left = collect(claim.leftovers, image, self._stores)
        except GlanceError:
            left = list(claim.leftovers)
        except Exception:
            LOG.exception("Image %s: what dead uploads left stays", image_id)
            left = list(claim.leftovers)
        if left:
            claim.leave()
        else:
            claim.release()


@dataclasses.dataclass(frozen=True)
class _Upload:
    """An upload that is ours.

    :ivar image: as it was before
    """

    environ: Environ
    image: Image
    store: ObjectStore
    body: Body
    traces: Traces
    source: CheckedBody = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "source", CheckedBody(self.body))


def _outcome(answer: Answer, body: Body) -> str:
    if answer.code == 204:
        return transfers.OK if body.received else transfers.EMPTY
    return transfers.CLIENT if answer.code < 500 else "glance"

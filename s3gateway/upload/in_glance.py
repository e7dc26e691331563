# SPDX-License-Identifier: Apache-2.0
"""PUT of image data inside Glance: an upload, from top to bottom.

Glance's own upload code runs (``glance.inside``): it sets ``saving``, checks its policy
and quotas, and makes the image ``active``.  Its conditional writes to the database let
one of several uploads win.  To store the bytes it calls back, and ``reception`` writes
them to S3.

The gateway writes a claim only if a crash could leave something that nothing else
names:  for a multipart upload, or one that takes long.  A single object names its
image, so ``gc`` finds it without a claim.
"""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Mapping

from oslo_log import log as logging

from s3gateway import uris
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
from s3gateway.upload.leftovers import give_back
from s3gateway.upload.leftovers import keys_of
from s3gateway.upload.reception import Incoming
from s3gateway.upload.reception import Reception
from s3gateway.upload.through_api import Uploads
from s3gateway.upload.traces import Traces

LOG = logging.getLogger(__name__)

#: How long a store counts as usable after it has answered.
_PROOF = 60.0  # seconds


class UploadsInGlance:
    """Takes uploads to S3 stores through Glance's own code.

    :param otherwise: takes uploads whose sender Glance has not identified
    :param with_credentials: whether location URIs hold the S3 keys, as before
        glance_store 5.6
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

        :raises GatewayError: if the upload failed.  Only data that the image may refer
            to is left
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

        :param dead: whether to take over a dead upload first
        """
        attempt = Attempt(store.name, uris.new_key(image.id))
        traces = Traces(self._claims, attempt)
        if dead:
            traces.take_over()
            if not self._inside.restore(image):
                self._end(environ, image.id, traces)
                return self._pass(environ, image.id, "status")
        body = requests.body_of(environ, self._settings, traces.keep)
        upload = _Upload(environ, image, store, body, traces, CheckedBody(body))
        transfer = Transfer("upload", image.id, store.name, lambda: body.received)
        with transfer.asked_by(environ):
            answer = self._run(upload)
            transfer.end(_outcome(answer, body))
        return answer

    def keep_out(self, environ: Environ, image_id: str) -> Answer:
        """Let Glance take data by itself; the image's status keeps other uploads out.

        :raises Conflict: if the image has data from a failed upload
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
        """Whether an image is ``saving`` because of a dead upload of the gateway.

        Other uploads have no mark, and a long upload of the gateway has a claim.
        """
        since = marked_since(image)
        if since is None or time.time() - since < self._settings.claim_grace:
            return False
        try:
            with while_nothing_moved():
                dead = self._claims.are_dead(image.id)
        except StoreError as error:
            LOG.warning(
                "Image %s: cannot find out whether its upload lives: %s",
                image.id,
                error,
            )
            return False
        if not dead or not self._rules.may_upload(environ, image):
            return False
        LOG.warning("Taking over image %s: its upload has died", image.id)
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
        """Write the bytes to the store; return what glance_store would."""
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
        """Ping a store that has not answered for a while.

        A client may retry after a 503, but only if the gateway has not yet read the
        body.

        :raises StoreError: if the store cannot be used
        """
        if time.monotonic() < self._proven_until.get(store.name, 0.0):
            return
        try:
            with while_nothing_moved():
                store.ping()
        except StoreError as error:
            if error.store_wide:  # not a missing right that only the ping needs
                raise
        self._proven_until[store.name] = time.monotonic() + _PROOF

    def _give_up(self, upload: _Upload) -> None:
        """Delete the stored data, unless the image refers to it; never raises."""
        if not upload.traces.used:
            return
        try:
            image = self._inside.image(upload.environ, upload.image.id)
        except GlanceError:
            upload.traces.leave()  # the next upload, or gc, will look
            return
        attempt = upload.traces.attempt
        needed = image is not None and attempt.key in keys_of(image)
        if collect([attempt], image if needed else None, self._stores):
            upload.traces.leave()
        else:
            self._end(upload.environ, upload.image.id, upload.traces)

    def _end(self, environ: Environ, image_id: str, traces: Traces) -> None:
        """Collect what dead uploads left, and end the claim; never raises."""
        if traces.claim is not None:
            find = functools.partial(self._inside.image, environ, image_id)
            give_back(traces.claim, find, self._stores)


@dataclasses.dataclass(frozen=True)
class _Upload:
    """An upload that the gateway takes.

    :ivar image: the image before the upload
    """

    environ: Environ
    image: Image
    store: ObjectStore
    body: Body
    traces: Traces
    source: CheckedBody


def _outcome(answer: Answer, body: Body) -> str:
    if answer.code == 204:
        return transfers.OK if body.received else transfers.EMPTY
    return transfers.CLIENT if answer.code < 500 else "glance"

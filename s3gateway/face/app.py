# SPDX-License-Identifier: Apache-2.0
"""The WSGI app of the face: verifies a request, carries it out, answers as S3 does.

Nothing of a request is forwarded.  Each request to S3 is made by the gateway's store,
from the judged operation, key and bytes alone.
"""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from typing import TYPE_CHECKING

from oslo_log import log as logging

from s3gateway.config.face import FaceKeys
from s3gateway.config.settings import TransferSettings
from s3gateway.errors import GatewayError
from s3gateway.face import errors
from s3gateway.face import requests
from s3gateway.face import signature
from s3gateway.face.errors import S3Error
from s3gateway.face.multipart import Multipart
from s3gateway.face.objects import Objects
from s3gateway.face.operations import Request
from s3gateway.face.payload import Payload
from s3gateway.face.requests import Asked
from s3gateway.face.signature import Signed
from s3gateway.http import lingering
from s3gateway.http import waiting
from s3gateway.http.wsgi import Answer
from s3gateway.http.wsgi import Environ
from s3gateway.monitoring import metrics
from s3gateway.store import ObjectStore
from s3gateway.upload.stream import Memory
from s3gateway.upload.written import Written

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

LOG = logging.getLogger(__name__)

#: Glance's driver has all of a part in memory before it sends the first byte.
_SILENCE = 60.0  # seconds

#: The region that boto3 signs with if it is told none.
_USUAL_REGION = "us-east-1"


class Face:
    """Speaks S3 to Glance's own driver.

    :param stores: by identifier
    :param written: what this process registers now
    :param domain: whose subdomains are buckets; empty for path style alone
    :param silence: how long a client may be silent in the middle of a body, in seconds
    """

    def __init__(
        self,
        keys: FaceKeys,
        stores: Mapping[str, ObjectStore],
        transfer: TransferSettings,
        written: Written,
        domain: str = "",
        *,
        silence: float = _SILENCE,
    ) -> None:
        memory = Memory.of(transfer)
        objects, multipart = Objects(transfer, memory, written), Multipart(memory)
        self._keys = keys
        self._domain = domain
        self._stores = {store.settings.bucket: store for store in stores.values()}
        self._drain_limit = transfer.drain_limit
        self._silence = silence
        self._operations: Mapping[str, Callable[[Request], Answer]] = {
            "HeadBucket": objects.bucket,
            "CreateBucket": objects.bucket,
            "HeadObject": objects.head,
            "GetObject": objects.get,
            "PutObject": objects.put,
            "DeleteObject": objects.delete,
            "CreateMultipartUpload": multipart.create,
            "UploadPart": multipart.part,
            "CompleteMultipartUpload": multipart.complete,
            "AbortMultipartUpload": multipart.abort,
        }

    def __call__(
        self, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        request_id = secrets.token_hex(8)
        try:
            answer = self._answer(environ)
        except S3Error as error:
            answer = _refusal(environ, error, request_id)
        except GatewayError as error:
            refusal = errors.of(error)
            LOG.log(
                logging.ERROR if refusal.status >= "500" else logging.INFO,
                "The face, request %s: %s",
                request_id,
                error,
            )
            answer = _refusal(environ, refusal, request_id)
        except Exception:
            LOG.exception("The face, request %s", request_id)
            answer = _refusal(environ, S3Error("InternalError"), request_id)
        answer.headers.append(("x-amz-request-id", request_id))
        metrics.REQUESTS.labels("face", f"{answer.code // 100}xx").inc()
        # A driver that is refused in the middle of a part takes a reset for no answer,
        # and then leaves its upload open.
        whole = lingering.after(environ, answer, self._drain_limit, known=True)
        return whole(environ, start_response)

    def _answer(self, environ: Environ) -> Answer:
        now = datetime.datetime.now(datetime.timezone.utc)
        signed = signature.verify(environ, self._keys.of, now)
        fields = signature.fields_of(environ)
        asked = requests.read(environ, fields, self._domain)
        store = self._store(asked, signed)
        payload = Payload(environ, fields, signed)
        request = Request(asked, store, payload, environ)
        with waiting.steadily(environ["wsgi.input"], self._silence):
            return self._operations[asked.operation](request)

    def _store(self, asked: Asked, signed: Signed) -> ObjectStore:
        """Return the store of the bucket.

        :raises S3Error: if it is not configured, or has another region
        """
        store = self._stores.get(asked.bucket)
        if store is None:
            raise S3Error("NoSuchBucket")
        region = store.settings.region or _USUAL_REGION
        if signed.region not in (region, _USUAL_REGION):
            raise S3Error(
                "AuthorizationHeaderMalformed",
                f"The region is wrong; expecting '{region}'",
                Region=region,
            )
        return store


def _refusal(environ: Environ, error: S3Error, request_id: str) -> Answer:
    LOG.info("The face, request %s: %s", request_id, error.code)
    body = error.document(request_id)
    headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))]
    is_head = environ["REQUEST_METHOD"] == "HEAD"
    return Answer(error.status, headers, [] if is_head else [body])

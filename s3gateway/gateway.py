# SPDX-License-Identifier: Apache-2.0
"""The WSGI middleware: routes each request, and turns errors into responses."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from typing import TYPE_CHECKING

import webob.exc
from oslo_log import log as logging

from s3gateway.download.handler import Downloads
from s3gateway.errors import GatewayError
from s3gateway.glance import routes
from s3gateway.glance.api import Glance
from s3gateway.glance.api import Refused
from s3gateway.http import lingering
from s3gateway.http import waiting
from s3gateway.http import wsgi
from s3gateway.http.canonical import canonical
from s3gateway.http.wsgi import Answer
from s3gateway.http.wsgi import Environ
from s3gateway.locations import requests
from s3gateway.locations.answers import Masking
from s3gateway.locations.requests import Guard
from s3gateway.monitoring import metrics
from s3gateway.monitoring import version
from s3gateway.streams.limits import Limits
from s3gateway.upload.in_glance import UploadsInGlance
from s3gateway.upload.through_api import Uploads

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

LOG = logging.getLogger(__name__)


class Gateway:
    """Sends image data to and from S3, and every other request to Glance.

    :param drain_limit: most of a refused body that is read, in bytes
    """

    def __init__(
        self,
        glance: Glance,
        uploads: Uploads | UploadsInGlance,
        downloads: Downloads,
        guard: Guard,
        masking: Masking,
        *,
        limits: Limits,
        drain_limit: int,
    ) -> None:
        self._glance = glance
        self._uploads = uploads
        self._downloads = downloads
        self._guard = guard
        self._masking = masking
        self._limits = limits
        self._drain_limit = drain_limit
        metrics.BUILD_INFO.labels(version.RUNNING).set(1)

    def __call__(
        self, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        operation = _operation(environ)
        answer = _or_error(environ, lambda: self._answer(environ))
        metrics.REQUESTS.labels(operation, f"{answer.code // 100}xx").inc()
        masked = _or_error(environ, lambda: self._masking.apply(environ, answer))
        whole = lingering.after(environ, masked, self._drain_limit)
        return whole(environ, start_response)

    def _answer(self, environ: Environ) -> Answer:
        environ = canonical(environ)
        method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")
        if not routes.sends_data(method, path):
            return self._routed(environ, method, path)
        waiting.probe(environ.get("gunicorn.socket"))
        with self._limits.upload(environ):
            return self._routed(environ, method, path)

    def _routed(self, environ: Environ, method: str, path: str) -> Answer:
        image_id = routes.image_of_file(path)
        if image_id and method == "PUT":
            paced = self._limits.paced(environ, "upload")
            return self._uploads.put(paced, image_id)
        if image_id and method in ("GET", "HEAD"):
            paced = self._limits.paced(environ, "download")
            return self._downloads.get(paced, image_id)
        image_id = routes.image_of_import(method, path)
        if image_id:
            return self._uploads.keep_out(environ, image_id)
        return self._pass(environ)

    def _pass(self, environ: Environ) -> Answer:
        """Let Glance answer.  Its router changes the path of the request."""
        method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")
        admitted = self._guard.admit(environ)
        answer = self._glance.pass_through(admitted)
        if routes.shows_store_details(method, path) and answer.code == 200:
            answer.headers.append((version.HEADER, version.RUNNING))
        withdrawn = routes.withdrawn(method, path) or admitted.get(requests.TAKES_FROM)
        if withdrawn and answer.code in (200, 204):
            self._downloads.forget(withdrawn)
        return answer


def _or_error(environ: Environ, answer: Callable[[], Answer]) -> Answer:
    """Return an answer, or an error response if it fails."""
    try:
        return answer()
    except Refused as refused:
        return refused.answer
    except GatewayError as error:
        return _response(environ, error)
    except Exception:
        LOG.exception("%s %s", environ["REQUEST_METHOD"], environ.get("PATH_INFO", ""))
        return _response(environ, GatewayError("The gateway has failed."))


def _operation(environ: Environ) -> str:
    """Return as what a request is counted; Glance may change its path later."""
    if routes.image_of_file(environ.get("PATH_INFO", "")) is None:
        return "other"
    known = {"PUT": "upload", "GET": "download"}
    return known.get(environ["REQUEST_METHOD"], "other")


def _response(environ: Environ, error: GatewayError) -> Answer:
    """Return an error response in the form of Glance's own."""
    is_ours = error.status >= 500 and error.fault != "client"
    LOG.log(
        logging.ERROR if is_ours else logging.INFO,
        "%s %s: %d %s",
        environ["REQUEST_METHOD"],
        environ.get("PATH_INFO", ""),
        error.status,
        error,
    )
    kind = webob.exc.status_map[error.status]
    # For these two statuses webob shows the detail, for others the explanation.
    response = (
        kind(detail=str(error), headers=error.headers)
        if error.status in (415, 416)
        else kind(explanation=str(error), headers=error.headers)
    )
    return wsgi.call(response, environ)

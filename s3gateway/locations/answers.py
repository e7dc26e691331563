# SPDX-License-Identifier: Apache-2.0
"""What leaves: every answer, without what its S3 location URIs give away."""

from __future__ import annotations

import json
from collections.abc import Callable

from oslo_log import log as logging

from s3gateway.http.wsgi import Answer
from s3gateway.http.wsgi import Environ
from s3gateway.locations.documents import Masks
from s3gateway.locations.redaction import Sweep
from s3gateway.monitoring import metrics

LOG = logging.getLogger(__name__)

_JSON = ("application/json", "application/schema+json")
_TEXTS = ("text/", "application/xml")


class Masking:
    """Masks documents, texts and headers; image data it never reads.

    :param may_see: whether a request's sender is shown locations in S3
    """

    def __init__(
        self, masks: Masks, sweep: Sweep, may_see: Callable[[Environ], bool]
    ) -> None:
        self._masks = masks
        self._sweep = sweep
        self._may_see = may_see

    def apply(self, environ: Environ, answer: Answer) -> Answer:
        """Return an answer as the sender of the request may see it.

        What names nothing of S3 comes back byte for byte.
        """
        kind = answer.header("Content-Type").lower()
        body = answer.body
        if kind.startswith((*_JSON, *_TEXTS)):
            text = self._body(environ, answer.read(), is_json=kind.startswith(_JSON))
            answer.headers = _with_length(answer, len(text))
            body = [text]
        headers = [
            (name, self._header(environ, name, value)) for name, value in answer.headers
        ]
        return Answer(answer.status, headers, body)

    def _body(self, environ: Environ, body: bytes, *, is_json: bool) -> bytes:
        masked = body
        if b"s3" in body.lower():
            masked = self._document(environ, body) if is_json else self._text(body)
        if masked != body:
            metrics.MASKED_ANSWERS.inc()
        return self._swept(environ, masked, "the body")

    def _header(self, environ: Environ, name: str, value: str) -> str:
        masked = self._masks.text(value) if "s3" in value.lower() else value
        swept = self._swept(environ, masked.encode("latin-1"), f"header {name}")
        return swept.decode("latin-1")

    def _document(self, environ: Environ, body: bytes) -> bytes:
        try:
            document = json.loads(body)
        except ValueError:
            return self._text(body)
        masked = self._masks.document(document, show=self._may_see(environ))
        if masked == document:
            return body
        return json.dumps(masked, ensure_ascii=False).encode()

    def _text(self, body: bytes) -> bytes:
        # latin-1 has a character for each byte, so nothing is lost either way.
        return self._masks.text(body.decode("latin-1")).encode("latin-1")

    def _swept(self, environ: Environ, text: bytes, where: str) -> bytes:
        swept, found = self._sweep.redact(text)
        if found:
            metrics.BLOCKED_LEAKS.inc()
            LOG.error(
                "A secret key was about to leave in %s of the answer to %s %s",
                where,
                environ["REQUEST_METHOD"],
                environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", ""),
            )
        return swept


def _with_length(answer: Answer, length: int) -> list[tuple[str, str]]:
    return [
        (name, str(length) if name.lower() == "content-length" else value)
        for name, value in answer.headers
    ]

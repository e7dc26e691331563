# SPDX-License-Identifier: Apache-2.0
"""Masks S3 location URIs in every response.

Image data passes unread.  The gateway reads and masks everything else.  If it cannot
read a body, for example because of its Content-Encoding, it does not send it.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from oslo_log import log as logging

from s3gateway.errors import GlanceError
from s3gateway.glance import routes
from s3gateway.http.wsgi import Answer
from s3gateway.http.wsgi import Environ
from s3gateway.locations.documents import Masks
from s3gateway.locations.redaction import Sweep
from s3gateway.monitoring import metrics

LOG = logging.getLogger(__name__)

_DATA = "application/octet-stream"
_JSON = ("application/json", "application/schema+json")
_CHARSETS = ("", "utf-8", "us-ascii", "iso-8859-1")


class Masking:
    """Masks documents, texts and headers; it never reads image data.

    :param may_see: whether the sender of a request sees S3 locations
    """

    def __init__(
        self, masks: Masks, sweep: Sweep, may_see: Callable[[Environ], bool]
    ) -> None:
        self._masks = masks
        self._sweep = sweep
        self._may_see = may_see

    def apply(self, environ: Environ, answer: Answer) -> Answer:
        """Return an answer as the sender of the request may see it.

        An answer that does not mention S3 stays the same byte for byte.

        :raises GlanceError: if the answer is not readable; its body is closed
        """
        kind = answer.header("Content-Type").lower()
        body, headers = answer.body, answer.headers
        if kind.partition(";")[0].strip() != _DATA:
            text = answer.read()
            masked = self._masked(environ, answer, kind, text)
            if masked != text:  # otherwise an answer to HEAD would lose its length
                headers = _with_length(answer, len(masked))
            body = [masked]
        headers = [
            (name, self._header(environ, name, value)) for name, value in headers
        ]
        return Answer(answer.status, headers, body)

    def _masked(
        self, environ: Environ, answer: Answer, kind: str, body: bytes
    ) -> bytes:
        if body and not _is_readable(answer, kind):
            LOG.error("Glance answered in an encoding that the gateway cannot read")
            raise GlanceError("The gateway could not read Glance's answer.")
        masked = body
        if b"s3" in body.lower():
            is_json = kind.startswith(_JSON)
            document = self._document(environ, answer, body) if is_json else b""
            masked = document or self._text(body)
        if masked != body:
            metrics.MASKED_ANSWERS.inc()
        return self._swept(environ, masked, "the body")

    def _header(self, environ: Environ, name: str, value: str) -> str:
        masked = self._own_text(value) if "s3" in value.lower() else value
        swept = self._swept(
            environ, masked.encode("latin-1", "replace"), f"header {name}"
        )
        return swept.decode("latin-1")

    def _document(self, environ: Environ, answer: Answer, body: bytes) -> bytes:
        """Return a masked JSON document, empty if it does not parse."""
        path = environ.get("PATH_INFO", "")
        glances_own = answer.code >= 400 or routes.names_tasks(path)
        mask_text = self._own_text if glances_own else self._masks.users_text
        show = self._may_see(environ)
        try:
            document = json.loads(body)
            changed = self._masks.document(document, show=show, mask_text=mask_text)
            return (
                json.dumps(document, ensure_ascii=False).encode() if changed else body
            )
        except (ValueError, RecursionError):
            return b""

    def _text(self, body: bytes) -> bytes:
        # latin-1 has a character for each byte, so nothing is lost either way.
        swept, _ = self._sweep.redact(body)
        return self._masks.text(swept.decode("latin-1")).encode("latin-1")

    def _own_text(self, text: str) -> str:
        """Return a text of Glance's own without keys and S3 location URIs.

        Keys are removed first: the mask ends a URI at a quote, which a key may hold.
        """
        swept, _ = self._sweep.redact(text.encode("utf-8", "surrogatepass"))
        return self._masks.text(swept.decode("utf-8", "surrogatepass"))

    def _swept(self, environ: Environ, text: bytes, where: str) -> bytes:
        swept, found = self._sweep.redact(text)
        if found:
            metrics.BLOCKED_LEAKS.inc()
            LOG.error(
                "Removed a secret key from %s of the answer to %s %s; report this",
                where,
                environ["REQUEST_METHOD"],
                environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", ""),
            )
        return swept


def _is_readable(answer: Answer, kind: str) -> bool:
    """Whether a body is text in an encoding whose bytes the gateway can examine."""
    coding = answer.header("Content-Encoding").strip().lower()
    charset = kind.partition("charset=")[2].partition(";")[0].strip(' "')
    return coding in ("", "identity") and charset in _CHARSETS


def _with_length(answer: Answer, length: int) -> list[tuple[str, str]]:
    return [
        (name, str(length) if name.lower() == "content-length" else value)
        for name, value in answer.headers
    ]

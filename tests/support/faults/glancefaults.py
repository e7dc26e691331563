# SPDX-License-Identifier: Apache-2.0
"""A filter between the gateway and Glance that lets registrations go wrong.

Which one does is said by the request header ``X-Test-Fault``; the gateway's own
questions carry the client's headers, so it reaches the PATCH.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from collections.abc import Iterable
from typing import Any

App = Callable[..., Iterable[bytes]]


class GlanceFaults:
    """Meddles with the PATCH that registers a location, and with nothing else."""

    def __init__(self, app: App) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        fault = environ.get("HTTP_X_TEST_FAULT", "")
        if not fault or not _registers(environ):
            return self._app(environ, start_response)
        kind, _, argument = fault.partition(" ")
        faulty: Iterable[bytes] = getattr(self, f"_{kind}")(
            environ, start_response, argument
        )
        return faulty

    def _status(
        self, environ: dict[str, Any], start_response: Any, status: str
    ) -> list[bytes]:
        """Answer with a status and change nothing."""
        start_response(f"{status} Faulty", [("Content-Type", "text/plain")])
        return [b"injected"]

    def _applied(
        self, environ: dict[str, Any], start_response: Any, status: str
    ) -> list[bytes]:
        """Do it, and answer with something else."""
        list(self._app(environ, lambda *ignored: None))
        return self._status(environ, start_response, status)

    def _dies(self, environ: dict[str, Any], start_response: Any, when: str) -> None:
        """Never answer: as if the connection to Glance had broken."""
        if when == "after":
            list(self._app(environ, lambda *ignored: None))
        raise TimeoutError("injected")

    def _slow(
        self, environ: dict[str, Any], start_response: Any, seconds: str
    ) -> Iterable[bytes]:
        time.sleep(float(seconds))
        return self._app(environ, start_response)

    def _stock(
        self, environ: dict[str, Any], start_response: Any, data: str
    ) -> Iterable[bytes]:
        """Let stock win: upload other data right before the registration."""
        path = environ["PATH_INFO"] + "/file"
        self._ask(environ, "PUT", path, data.encode(), "application/octet-stream")
        return self._app(environ, start_response)

    def _deleted(
        self, environ: dict[str, Any], start_response: Any, ignored: str
    ) -> Iterable[bytes]:
        """Delete the image right before the registration."""
        self._ask(environ, "DELETE", environ["PATH_INFO"], b"", "")
        return self._app(environ, start_response)

    def _restored(
        self, environ: dict[str, Any], start_response: Any, store: str
    ) -> Iterable[bytes]:
        """Register under another store's identifier."""
        changes = json.loads(environ["wsgi.input"].read())
        changes[-1]["value"][0]["metadata"]["store"] = store
        body = json.dumps(changes).encode()
        environ.update(
            {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        )
        return self._app(environ, start_response)

    def _ask(
        self, environ: dict[str, Any], method: str, path: str, body: bytes, kind: str
    ) -> None:
        question = {
            **environ,
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "CONTENT_LENGTH": str(len(body)),
            "CONTENT_TYPE": kind,
            "wsgi.input": io.BytesIO(body),
        }
        list(self._app(question, lambda *ignored: None))


def _registers(environ: dict[str, Any]) -> bool:
    if environ["REQUEST_METHOD"] != "PATCH":
        return False
    body = environ["wsgi.input"].read()
    environ["wsgi.input"] = io.BytesIO(body)
    return b'"replace"' in body and b"/locations" in body


def filter_factory(
    global_conf: dict[str, str], **local_conf: str
) -> Callable[[App], GlanceFaults]:
    """Paste's factory; it belongs between ``s3gateway`` and ``rootapp``."""
    return GlanceFaults

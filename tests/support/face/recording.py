# SPDX-License-Identifier: Apache-2.0
"""A face over a store in memory that writes down what it is asked: an app for gunicorn.

``FACE_KEYS`` names the key file, and ``FACE_RECORD`` the file of the record, with a
request in each line.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

from s3gateway.config.face import FaceKeys
from s3gateway.face.app import Face
from s3gateway.face.signature import fields_of
from s3gateway.http.wsgi import Environ
from s3gateway.upload.written import Written
from tests.support.s3.memory import MemoryStore
from tests.support.s3.memory import store_settings
from tests.support.s3.stores import TRANSFER

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

BUCKET = "images-of-glance"
DOMAIN = "localhost"
#: How long a client may be silent in the middle of a body, in seconds.
SILENCE = 8.0
#: Parts of images whose ids begin so are refused.
DOOMED = "dead"

_PAYLOAD = re.compile(r"[0-9a-f]{64}")
#: Fields whose value says how a request is to be understood.
_TOLD = ("content-encoding", "expect", "range", "transfer-encoding", "x-amz-trailer")


class Recording:
    """Writes down requests, and lets the face answer them."""

    def __init__(self, face: Face, path: pathlib.Path) -> None:
        self._face = face
        self._path = path
        self._lock = threading.Lock()

    def __call__(
        self, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        def started(
            status: str, headers: list[tuple[str, str]], *more: object
        ) -> object:
            self._write(environ, status)
            return start_response(status, headers)

        doomed = f"/{DOOMED}" in environ["PATH_INFO"]
        if doomed and "partNumber" in environ["QUERY_STRING"]:
            environ["PATH_INFO"] += "x"  # so that the signature is wrong
        return self._face(environ, started)  # type: ignore[arg-type]

    def _write(self, environ: Environ, status: str) -> None:
        line = json.dumps([asked(environ), int(status[:3])])
        with self._lock, self._path.open("a") as file:
            file.write(line + "\n")


def asked(environ: Environ) -> str:
    """Return what a request asks for, without what differs each time."""
    fields = fields_of(environ)
    path = environ["PATH_INFO"].strip("/")
    if not fields.get("host", "").partition(":")[0].endswith(f".{DOMAIN}"):
        path = path.partition("/")[2]
    where = "object" if path else "bucket"
    names = [word.partition("=")[0] for word in environ["QUERY_STRING"].split("&")]
    query = f"?{'&'.join(sorted(names))}" if names != [""] else ""
    told = [f"{name}: {fields[name]}" for name in _TOLD if name in fields]
    told += sorted(
        name
        for name in fields
        if name not in _TOLD
        and (name.startswith(("x-amz", "if-")) or name == "content-md5")
        and name not in ("x-amz-date", "x-amz-content-sha256")
    )
    payload = fields.get("x-amz-content-sha256", "")
    payload = "sha256" if _PAYLOAD.fullmatch(payload) else payload
    region = fields.get("authorization", "").split("/")[2:3]
    rest = "; ".join([f"payload {payload}", f"region {''.join(region)}", *told])
    return f"{environ['REQUEST_METHOD']} {where}{query}; {rest}"


def _app() -> Recording:
    store = MemoryStore(store_settings(bucket=BUCKET))
    keys = FaceKeys(os.environ["FACE_KEYS"])
    stores = {store.name: store}
    face = Face(keys, stores, TRANSFER, Written(), DOMAIN, silence=SILENCE)
    return Recording(face, pathlib.Path(os.environ["FACE_RECORD"]))


application = _app() if "FACE_RECORD" in os.environ else None

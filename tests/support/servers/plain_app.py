# SPDX-License-Identifier: Apache-2.0
"""A WSGI app that stands for a gateway: it answers at once, or when it may."""

from __future__ import annotations

import os
import pathlib
import time
from collections.abc import Iterable
from collections.abc import Iterator
from typing import TYPE_CHECKING

from s3gateway.http.wsgi import Environ

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

#: The variable with the path of a file; while it is there, ``/held`` does not end.
HELD_WHILE = "HELD_WHILE"


def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Read the body and answer with its length and our process."""
    read = len(environ["wsgi.input"].read())
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/held":
        return _held()
    return [f"{read} {os.getppid()}".encode()]


def _held() -> Iterator[bytes]:
    yield str(os.getppid()).encode()
    while pathlib.Path(os.environ[HELD_WHILE]).exists():
        time.sleep(0.05)
    yield b" whole"

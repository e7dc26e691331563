# SPDX-License-Identifier: Apache-2.0
"""A face in this process, over real sockets, for whatever store is behind it."""

from __future__ import annotations

import contextlib
import pathlib
import socketserver
from collections.abc import Iterator
from wsgiref import simple_server

from s3gateway.config.face import FaceKeys
from s3gateway.config.keys import KeyPair
from s3gateway.config.settings import TransferSettings
from s3gateway.face.app import Face
from s3gateway.store import ObjectStore
from s3gateway.upload.written import Written
from tests.support.s3.stores import TRANSFER
from tests.support.servers import web

PAIR = KeyPair("FACEKEY", "face-secret-of-25-bytes-x")


class _Server(socketserver.ThreadingMixIn, simple_server.WSGIServer):
    """Serves each connection in a thread, and waits for none."""

    daemon_threads = True


class _Silent(simple_server.WSGIRequestHandler):
    def log_message(self, *words: object) -> None:
        pass


@contextlib.contextmanager
def over(
    store: ObjectStore,
    directory: pathlib.Path,
    transfer: TransferSettings = TRANSFER,
) -> Iterator[str]:
    """Serve a face that ``PAIR`` opens; yield its URL.

    :param directory: for its file of key pairs
    """
    keys = directory / "face-keys"
    keys.write_text(f"{PAIR.access_key} {PAIR.secret_key}\n")
    keys.chmod(0o600)
    app = Face(FaceKeys(str(keys)), {store.name: store}, transfer, Written())
    server = simple_server.make_server(
        "127.0.0.1", 0, app, server_class=_Server, handler_class=_Silent
    )
    with web.running(server) as port:
        yield f"http://127.0.0.1:{port}"

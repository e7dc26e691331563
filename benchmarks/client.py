# SPDX-License-Identifier: Apache-2.0
"""An HTTP client that uses very little CPU, so that the server is measured."""

from __future__ import annotations

import dataclasses
import http.client
import mmap
import pathlib
import time
from urllib import parse

_STEP = 1024**2
_CHUNK = 64 * 1024  # what glanceclient sends
_PATIENCE = 1200.0  # seconds


class Failed(Exception):
    """An answer was not what it must be."""


@dataclasses.dataclass(frozen=True)
class Timing:
    """How long a request took.

    :ivar first: seconds until the first byte of the answer's body, or its status
    :ivar total: seconds until its end
    """

    first: float
    total: float


class Client:
    """A user of a Glance, with a connection for each request."""

    def __init__(self, url: str, token: str) -> None:
        self._url = parse.urlsplit(url)
        self._token = token

    def upload(
        self, image_id: str, source: pathlib.Path, size: int, *, chunked: bool
    ) -> Timing:
        """Upload the first ``size`` bytes of a file as an image's data.

        :raises Failed: if the answer is not 204
        """
        connection, began = self._connection(), time.monotonic()
        framing = (
            ("Transfer-Encoding", "chunked")
            if chunked
            else ("Content-Length", str(size))
        )
        kind = ("Content-Type", "application/octet-stream")
        self._ask(connection, "PUT", f"/v2/images/{image_id}/file", framing, kind)
        (_send_chunks if chunked else _send_plain)(connection, source, size)
        answer = connection.getresponse()
        first = time.monotonic() - began
        text = answer.read()
        connection.close()
        if answer.status != 204:
            raise Failed(f"upload: {answer.status} {text[:200]!r}")
        return Timing(first, time.monotonic() - began)

    def download(self, image_id: str, size: int) -> Timing:
        """Download an image's data and throw it away.

        :raises Failed: if it is not all of it
        """
        return self.get(f"/v2/images/{image_id}/file", size)

    def get(self, path: str, size: int | None = None) -> Timing:
        """Get something and throw it away.

        :raises Failed: if it is not there, or not of that size
        """
        connection, began = self._connection(), time.monotonic()
        self._ask(connection, "GET", path)
        answer = connection.getresponse()
        buffer, received, first = memoryview(bytearray(_STEP)), 0, 0.0
        while count := answer.readinto(buffer):
            first = first or time.monotonic() - began
            received += count
        connection.close()
        if answer.status != 200 or size not in (None, received):
            raise Failed(f"GET {path}: {answer.status}, {received} bytes")
        return Timing(first, time.monotonic() - began)

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._url.hostname or "", self._url.port
        connection = http.client.HTTPConnection(host, port, timeout=_PATIENCE)
        connection.connect()
        return connection

    def _ask(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        *headers: tuple[str, str],
    ) -> None:
        connection.putrequest(method, path)
        for name, value in (("X-Auth-Token", self._token), *headers):
            connection.putheader(name, value)
        connection.endheaders()


def _send_plain(
    connection: http.client.HTTPConnection, source: pathlib.Path, size: int
) -> None:
    with source.open("rb") as file:
        connection.sock.sendfile(file, 0, size)


def _send_chunks(
    connection: http.client.HTTPConnection, source: pathlib.Path, size: int
) -> None:
    with (
        source.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
        memoryview(data) as view,
    ):
        for start in range(0, size, _CHUNK):
            with view[start : min(start + _CHUNK, size)] as piece:
                connection.send(b"%x\r\n" % len(piece))
                connection.send(piece)
                connection.send(b"\r\n")
    connection.send(b"0\r\n\r\n")

# SPDX-License-Identifier: Apache-2.0
"""An HTTP server that answers what it is told, byte for byte: a Glance that is odd."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import socketserver
import ssl
import time
from collections.abc import Callable
from collections.abc import Iterator
from typing import BinaryIO

from tests.support.servers import web


@dataclasses.dataclass
class Request:
    """A request as it came.

    :ivar head: the request line and the header fields
    :ivar connection: which connection it came on, counted from 1
    """

    head: bytes
    body: bytes
    connection: int

    @property
    def target(self) -> str:
        return self.head.split(b" ")[1].decode()

    def fields(self, name: str) -> list[str]:
        """Return all values of a header field."""
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        pairs = (line.partition(":") for line in lines)
        return [value.strip() for key, _, value in pairs if key.lower() == name.lower()]


Answer = Callable[[Request, socket.socket], None]


class Scripted:
    """A server; ``answers`` says by path what is answered.

    An answer is called with the request and its connection, and may do to it what
    it likes.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.requests: list[Request] = []
        self.connections = 0
        self.url = ""

    def says(self, path: str, *lines: str, body: bytes = b"") -> None:
        """Answer a path with a status line and header fields, and a body."""
        head = "\r\n".join([f"HTTP/1.1 {lines[0]}", *lines[1:], "", ""])
        self.answers[path] = lambda request, connection: connection.sendall(
            head.encode("latin-1") + body
        )

    def wait_for_requests(self, count: int) -> None:
        """Wait until so many requests have come."""
        deadline = time.monotonic() + 60
        while len(self.requests) < count:
            assert time.monotonic() < deadline, self.requests
            time.sleep(0.02)

    def serve(self, connection: socket.socket) -> None:
        """Answer what comes on a connection until it ends."""
        self.connections += 1
        number = self.connections
        with connection, connection.makefile("rb") as stream:
            while head := _head(stream):
                request = Request(head, b"", number)
                self.requests.append(request)
                for piece in _body(request, stream):
                    request.body += piece
                answer = self.answers.get(request.target.partition("?")[0], _not_found)
                answer(request, connection)
                if connection.fileno() < 0:
                    return


@contextlib.contextmanager
def serving(certificate: str = "", key: str = "") -> Iterator[Scripted]:
    """Run such a server.

    :param certificate: a file, for TLS
    """
    scripted = Scripted()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            connection = self.request
            with contextlib.suppress(OSError):
                if certificate:
                    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                    context.load_cert_chain(certificate, key)
                    connection = context.wrap_socket(connection, server_side=True)
                scripted.serve(connection)

    class TCPServer(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with web.running(TCPServer(("127.0.0.1", 0), Handler)) as port:
        scheme = "https" if certificate else "http"
        scripted.url = f"{scheme}://127.0.0.1:{port}"
        yield scripted


def _head(stream: BinaryIO) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = stream.readline()
        if not line:
            return b""
        head += line
    return head


def _body(request: Request, stream: BinaryIO) -> Iterator[bytes]:
    if request.fields("Transfer-Encoding"):
        while size := int(stream.readline() or b"0", 16):
            yield stream.read(size)
            stream.readline()
        stream.readline()
        return
    for length in request.fields("Content-Length"):
        yield stream.read(int(length))


def _not_found(request: Request, connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

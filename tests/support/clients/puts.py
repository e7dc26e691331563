# SPDX-License-Identifier: Apache-2.0
"""Clients that upload to a gateway whose workers may die, and vanish at any point."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import select
import socket
import struct
import time

import psutil
import requests

from tests.support.clients.api import OCTETS
from tests.support.clients.api import Api
from tests.support.people import ALICE

_PATIENCE = 240.0  # seconds
_TCP_REPAIR = 19  # linux/tcp.h
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset


@dataclasses.dataclass(frozen=True)
class Workers:
    """A gateway with some workers.

    :ivar pid: of the process whose children they are
    """

    url: str
    pid: int

    def all(self) -> list[psutil.Process]:
        return psutil.Process(self.pid).children()

    def image(self, token: str = ALICE) -> str:
        """Create an image, although workers die meanwhile."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                return Api(self.url, token).create()
            except (requests.RequestException, AssertionError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def connect(self, worker: psutil.Process | None = None) -> socket.socket:
        """Connect to a worker, to any if none is named."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            connection = Api(self.url).connect()
            if worker is None or _has_accepted(worker, connection):
                return connection
            connection.close()
            assert time.monotonic() < deadline, "another worker takes everything"


def _has_accepted(worker: psutil.Process, connection: socket.socket) -> bool:
    ours = connection.getsockname()[1]
    for _ in range(10):
        for each in worker.net_connections("tcp"):
            if each.raddr and each.raddr.port == ours:
                return True
        time.sleep(0.01)
    return False


class Put:
    """A PUT of data, of which the client sends what it is told.

    :param fields: further lines of its head
    :param worker: which one gets it, ``None`` for any
    """

    def __init__(
        self,
        workers: Workers,
        image_id: str,
        *fields: str,
        token: str = ALICE,
        what: str = "file",
        kind: str = OCTETS,
        worker: psutil.Process | None = None,
    ) -> None:
        lines = [
            f"PUT /v2/images/{image_id}/{what} HTTP/1.1",
            "Host: glance",
            f"X-Auth-Token: {token}",
            f"Content-Type: {kind}",
            "Connection: close",
            *fields,
        ]
        self.head = "\r\n".join([*lines, "", ""]).encode()
        self._connection = workers.connect(worker)
        self._connection.settimeout(_PATIENCE)

    def send(self, data: bytes) -> None:
        """Send bytes, if the server takes them."""
        with contextlib.suppress(ConnectionError):
            self._connection.sendall(data)

    @property
    def is_answered(self) -> bool:
        """Whether the answer, or the end, has begun to come."""
        return bool(select.select([self._connection], [], [], 0)[0])

    def answer(self) -> tuple[int, bytes]:
        """Read the answer; its status is 0 if the connection broke off."""
        with self._connection, contextlib.suppress(OSError, http.client.HTTPException):
            found = http.client.HTTPResponse(self._connection, method="PUT")
            found.begin()
            return found.status, found.read()
        return 0, b""

    def vanish(self, *, reset: bool) -> None:
        if reset:
            self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._connection.close()

    def vanish_without_a_word(self) -> None:
        """Go away as with the client's power: its kernel sends nothing.

        :raises PermissionError: if this process may not do that
        """
        self._connection.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, 1)
        self._connection.close()


def length(count: int) -> str:
    return f"Content-Length: {count}"

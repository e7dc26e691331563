# SPDX-License-Identifier: Apache-2.0
"""Clients that upload to a gateway whose workers may die, and vanish at any point."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import random
import select
import socket
import struct
import time
import uuid
from collections.abc import Callable

import psutil
import requests

from tests.support.clients.api import OCTETS
from tests.support.clients.api import Api
from tests.support.clients.api import in_chunks
from tests.support.people import ALICE
from tests.support.people import BOB

MIB = 1024**2
CAP = 8 * MIB  # what image_size_cap must be

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


Step = Callable[[Workers, random.Random], "tuple[int, bytes]"]
GONE = (0, b"")


def length(count: int) -> str:
    return f"Content-Length: {count}"


CHUNKED = "Transfer-Encoding: chunked"


def vanishes_in_the_head(workers: Workers, chance: random.Random) -> tuple[int, bytes]:
    put = Put(workers, workers.image(), length(MIB))
    put.send(put.head[: chance.randrange(1, len(put.head))])
    put.vanish(reset=chance.random() < 0.5)
    return GONE


def vanishes_before_the_body(
    workers: Workers, chance: random.Random
) -> tuple[int, bytes]:
    put = Put(workers, workers.image(), chance.choice([length(MIB), CHUNKED]))
    put.send(put.head)
    time.sleep(chance.random())
    put.vanish(reset=chance.random() < 0.5)
    return GONE


def vanishes_in_the_body(workers: Workers, chance: random.Random) -> tuple[int, bytes]:
    chunked = chance.random() < 0.5
    framing = CHUNKED if chunked else length(7 * MIB)
    put = Put(workers, workers.image(), framing)
    put.send(put.head)
    for _ in range(chance.randrange(1, 7)):
        data = bytes(MIB - chance.randrange(MIB // 2))
        put.send(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data)
        time.sleep(chance.choice([0, 0, 0.3]))
    put.vanish(reset=chance.random() < 0.5)
    return GONE


def is_silent_for_long(workers: Workers, chance: random.Random) -> tuple[int, bytes]:
    put = Put(workers, workers.image(), length(MIB))
    put.send(put.head + bytes(1000))
    time.sleep(3)
    put.vanish(reset=True)
    return GONE


def sends_no_chunk(workers: Workers, chance: random.Random) -> tuple[int, bytes]:
    put = Put(workers, workers.image(), CHUNKED)
    put.send(put.head + b"10000\r\n" + bytes(0x10000) + b"\r\nno number\r\n")
    return put.answer()


def sends_all(workers: Workers, chance: random.Random) -> tuple[int, bytes]:
    data = bytes(chance.choice([1000, MIB, 6 * MIB]))
    put = Put(workers, workers.image(), length(len(data)))
    put.send(put.head + data)
    return put.answer()


def sends_all_in_chunks(workers: Workers, chance: random.Random) -> tuple[int, bytes]:
    api, image_id = Api(workers.url, ALICE), workers.image()
    answer = api.upload(image_id, in_chunks(bytes(6 * MIB)))
    return answer.status, answer.body


def sends_to_no_image(workers: Workers, chance: random.Random) -> tuple[int, bytes]:
    image_id = chance.choice([str(uuid.uuid4()), workers.image(BOB)])
    put = Put(workers, image_id, length(MIB))
    put.send(put.head + bytes(chance.choice([0, MIB])))
    return put.answer()


def sends_twice(workers: Workers, chance: random.Random) -> tuple[int, bytes]:
    image_id = workers.image()
    for _ in range(2):
        put = Put(workers, image_id, length(1000))
        put.send(put.head + bytes(1000))
        answer = put.answer()
    return answer


def sends_too_much(workers: Workers, chance: random.Random) -> tuple[int, bytes]:
    put = Put(workers, workers.image(), length(CAP + 1))
    put.send(put.head + bytes(MIB))
    return put.answer()


def sends_too_many_chunks(workers: Workers, chance: random.Random) -> tuple[int, bytes]:
    put = Put(workers, workers.image(), CHUNKED)
    chunk = b"100000\r\n" + bytes(MIB) + b"\r\n"
    put.send(put.head + chunk * (CAP // MIB + 1) + b"0\r\n\r\n")
    return put.answer()


def sends_another_size(workers: Workers, chance: random.Random) -> tuple[int, bytes]:
    framing = chance.choice([length(1000), CHUNKED])
    put = Put(workers, workers.image(), framing, "X-OpenStack-Image-Size: 999")
    body = (
        bytes(1000) if framing != CHUNKED else b"3e8\r\n%b\r\n0\r\n\r\n" % bytes(1000)
    )
    put.send(put.head + body)
    return put.answer()


def sends_text(workers: Workers, chance: random.Random) -> tuple[int, bytes]:
    put = Put(workers, workers.image(), length(MIB), kind="text/plain")
    put.send(put.head + bytes(MIB))
    return put.answer()


def sends_to_another_store(
    workers: Workers, chance: random.Random
) -> tuple[int, bytes]:
    store = chance.choice(["local", "local", "unknown"])
    data = bytes(chance.choice([1000, MIB]))
    fields = length(len(data)), f"X-Image-Meta-Store: {store}"
    put = Put(workers, workers.image(), *fields)
    put.send(put.head + data[: chance.choice([500, len(data)])])
    if chance.random() < 0.5:
        put.send(data[500:])
        put.vanish(reset=True)
        return GONE
    put.send(data[500:])
    return put.answer()


def sends_nothing(workers: Workers, chance: random.Random) -> tuple[int, bytes]:
    put = Put(workers, workers.image(), chance.choice([length(0), CHUNKED]))
    put.send(put.head + b"0\r\n\r\n")
    return put.answer()


def stages(workers: Workers, chance: random.Random) -> tuple[int, bytes]:
    put = Put(workers, workers.image(), length(MIB), what="stage")
    put.send(put.head + bytes(MIB // 2))
    if chance.random() < 0.5:
        put.vanish(reset=chance.random() < 0.5)
        return GONE
    put.send(bytes(MIB // 2))
    return put.answer()


KINDS: list[Step] = [
    vanishes_in_the_head,
    vanishes_before_the_body,
    vanishes_in_the_body,
    vanishes_in_the_body,
    is_silent_for_long,
    sends_no_chunk,
    sends_all,
    sends_all,
    sends_all_in_chunks,
    sends_to_no_image,
    sends_twice,
    sends_too_much,
    sends_too_many_chunks,
    sends_another_size,
    sends_text,
    sends_to_another_store,
    sends_nothing,
    stages,
]

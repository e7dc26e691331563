# SPDX-License-Identifier: Apache-2.0
"""Clients that begin a TLS handshake or a request, and send no more."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator

import pytest

from tests.support.face.ground import THREADS
from tests.support.face.ground import Ground
from tests.support.face.impatient import Impatient
from tests.support.face.recording import BUCKET

#: Far less than a client of S3 waits for an answer.
SOON = 30.0


@pytest.fixture(params=["http", "https"], scope="module")
def ground(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ground]:
    worker = f"{Impatient.__module__}.{Impatient.__name__}"
    found = Ground(tmp_path_factory.mktemp("slow"), request.param, worker)
    with found.server:
        found.wait()
        yield found


def connections(
    ground: Ground, stack: contextlib.ExitStack, count: int = THREADS
) -> list[socket.socket]:
    host, _, port = ground.url.partition("://")[2].partition(":")
    address = (host, int(port))
    return [
        stack.enter_context(socket.create_connection(address, SOON))
        for _ in range(count)
    ]


def answers(ground: Ground) -> bool:
    """Whether the face answers soon, at the first request."""
    client = ground.client(read_timeout=SOON, retries={"total_max_attempts": 1})
    return bool(client.head_bucket(Bucket=BUCKET))


@pytest.mark.parametrize("sent", [b"\x16", b"\x16\x03\x01\x02\x00\x01"], ids=len)
def test_they_give_their_threads_back(ground: Ground, sent: bytes) -> None:
    """The last of them as well, after a while."""
    if ground.url.startswith("http:"):
        sent = b"GET / HTTP/1.1\r\nHost"[: len(sent) ** 2]
    with contextlib.ExitStack() as stack:
        silent = connections(ground, stack)
        for sock in silent:
            sock.sendall(sent)
        began = time.monotonic()
        assert answers(ground)
        assert time.monotonic() - began < SOON
        for sock in silent:
            with contextlib.suppress(ConnectionResetError):
                assert sock.recv(4096) == b""


def test_one_that_goes_on_is_answered(ground: Ground) -> None:
    """It is longer silent than many may be, and not longer than few may be."""
    sent, expected = b"GET / HTTP/1.1\r\nHost: face\r\n\r\n", b"HTTP/1.1 403 "
    if ground.url.startswith("https:"):
        sent, expected = hello(), b"\x16\x03"
    with contextlib.ExitStack() as stack:
        [sock] = connections(ground, stack, 1)
        sock.sendall(sent[:18])
        time.sleep(Impatient.hurry + 0.5)
        sock.sendall(sent[18:])
        assert sock.recv(4096).startswith(expected)


def hello() -> bytes:
    """Return what a TLS client sends first."""
    sent = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(
        ssl.MemoryBIO(), sent, server_hostname="localhost"
    )
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return sent.read()

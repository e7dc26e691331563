# SPDX-License-Identifier: Apache-2.0
"""The fast lane of a body: gunicorn's own objects, on a socket."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator

import pytest
from gunicorn.http.body import Body
from gunicorn.http.body import ChunkedReader
from gunicorn.http.body import LengthReader
from gunicorn.http.unreader import SocketUnreader
from hypothesis import given
from hypothesis import strategies as st

from s3gateway import lanes

NEXT = b"GET /next HTTP/1.1\r\n\r\n"


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The client's end of a connection and the server's."""
    client, server = socket.socketpair()
    with client, server:
        yield client, server


def received(receiver: lanes.Receiver, step: int) -> bytes:
    """Read all of a body."""
    found, buffer = bytearray(), memoryview(bytearray(step))
    while count := receiver.read_into(buffer):
        found += buffer[:count]
    return bytes(found)


@given(
    data=st.binary(max_size=4000),
    ahead=st.integers(0, 5000),
    peeked=st.integers(0, 300),
    step=st.integers(1, 3000),
)
def test_a_body_ends_where_the_next_request_begins(
    data: bytes, ahead: int, peeked: int, step: int
) -> None:
    """Wherever the server's own reading has stopped before.

    :param ahead: how much the server received together with the headers
    :param peeked: how much somebody has read already
    """
    client, server = socket.socketpair()
    with client, server:
        stream = data + NEXT
        unreader = SocketUnreader(server)
        unreader.unread(stream[:ahead])
        client.sendall(stream[ahead:])
        body = Body(LengthReader(unreader, len(data)))
        before = body.read(peeked)
        receiver = lanes.receiver({"wsgi.input": body})
        assert receiver is not None
        assert before + received(receiver, step) == data
        assert body.read() == b""
        left = unreader.read() if unreader.buf.getvalue() else b""
        if len(left) < len(NEXT):
            server.setblocking(False)
            left += server.recv(100)
        assert left == NEXT


def test_a_client_that_goes_away_ends_it(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    client, server = ends
    body = Body(LengthReader(SocketUnreader(server), 100))
    receiver = lanes.receiver({"wsgi.input": body})
    client.sendall(b"some")
    client.close()
    assert receiver is not None
    assert received(receiver, 10) == b"some"  # whoever counts notices


def test_other_bodies_are_left_to_the_server(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    chunked = Body(ChunkedReader(None, SocketUnreader(ends[1])))
    assert lanes.receiver({"wsgi.input": chunked}) is None
    assert lanes.receiver({"wsgi.input": io.BytesIO(b"of uWSGI, or replaced")}) is None

# SPDX-License-Identifier: Apache-2.0
"""The fast lane of a body: gunicorn's own objects, on a socket."""

from __future__ import annotations

import io
import random
import socket
import types
from collections.abc import Iterator

import pytest
from gunicorn.http.body import Body
from gunicorn.http.body import ChunkedReader
from gunicorn.http.body import LengthReader
from gunicorn.http.errors import ParseException
from gunicorn.http.unreader import IterUnreader
from gunicorn.http.unreader import SocketUnreader
from hypothesis import given
from hypothesis import strategies as st

from s3gateway.http import fast_lane

NEXT = b"GET /next HTTP/1.1\r\n\r\n"


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The client's end of a connection and the server's."""
    client, server = socket.socketpair()
    with client, server:
        yield client, server


def received(receiver: fast_lane.Way, step: int) -> bytes:
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
        receiver = fast_lane.receiver({"wsgi.input": body})
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
    receiver = fast_lane.receiver({"wsgi.input": body})
    client.sendall(b"some")
    client.close()
    assert receiver is not None
    assert received(receiver, 10) == b"some"  # a reader that counts notices


def request(server: socket.socket) -> types.SimpleNamespace:
    """What a reader of chunks asks of its request."""
    return types.SimpleNamespace(
        unreader=SocketUnreader(server),
        limit_request_field_size=0,
        max_buffer_headers=0,
        parse_headers=lambda *args, **kwargs: [],
    )


def outcome(stream: bytes, ahead: int, step: int, *, fast: bool) -> tuple[object, ...]:
    """Return what a body in chunks reads as, how it ends, and what is behind it."""
    client, server = socket.socketpair()
    with client, server:
        asked = request(server)
        asked.unreader.unread(stream[:ahead])
        client.sendall(stream[ahead:])
        client.shutdown(socket.SHUT_WR)
        body = Body(ChunkedReader(asked, asked.unreader))
        receiver = fast_lane.receiver({"wsgi.input": body}) if fast else None
        found, failed = b"", False
        try:
            while data := _next(receiver, body, step):
                found += data
        except (OSError, EOFError, ParseException):
            failed = True
        behind = b"" if failed else asked.unreader.buf.getvalue() + _rest(server)
        return b"" if failed else found, failed, behind


def _next(receiver: fast_lane.Way | None, body: Body, step: int) -> bytes:
    if receiver is None:
        return body.read(step)  # type: ignore[no-any-return]
    buffer = memoryview(bytearray(step))
    return bytes(buffer[: receiver.read_into(buffer)])


def _rest(server: socket.socket) -> bytes:
    found = b""
    while data := server.recv(4096):
        found += data
    return found


def _chunk(data: bytes, size: str, behind: bytes) -> bytes:
    return size.encode() + behind + b"\r\n" + data + b"\r\n"


@st.composite
def chunked(draw: st.DrawFn) -> bytes:
    """A body in chunks, more often right than not, and a request behind it."""
    sizes = st.sampled_from(["{:x}", "{:X}", "{:04x}"])
    odd = st.sampled_from([b"", b"", b"", b"", b";a=b", b" ", b";\n", b"\r"])
    body = b"".join(
        _chunk(data, draw(sizes).format(len(data)), draw(odd))
        for data in draw(st.lists(st.binary(min_size=1, max_size=6000), max_size=5))
    )
    end = draw(
        st.sampled_from([b"0\r\n\r\n", b"00\r\nA: b\r\n\r\n", b"0;x\r\n\r\n", b""])
    )
    stream = body + end + NEXT
    if draw(st.integers(0, 3)):
        return stream
    place = draw(st.integers(0, len(stream)))
    changed = draw(st.sampled_from([b"", b"\r\n", b"5\r\n", b"0\r\n\r\n", b"x"]))
    return stream[:place] + changed + stream[place + draw(st.integers(0, 3)) :]


@given(
    stream=chunked(),
    ahead=st.integers(0, 9000),
    step=st.integers(1, 7000),
)
def test_chunks_are_what_gunicorn_makes_of_them(
    stream: bytes, ahead: int, step: int
) -> None:
    """The same bytes, the same refusals, and the next request where it is."""
    ours = outcome(stream, ahead, step, fast=True)
    assert ours == outcome(stream, ahead, step, fast=False)


@given(
    sizes=st.lists(st.integers(1, 5000), min_size=1, max_size=6),
    ahead=st.integers(0, 9000),
    taken=st.integers(1, 20000),
)
def test_another_reader_finds_the_rest_of_the_chunks(
    sizes: list[int], ahead: int, taken: int
) -> None:
    """As what drains a body that was refused, and gunicorn before the next request."""
    data = random.Random(17).randbytes(sum(sizes))  # noqa: S311
    stream, at = b"", 0
    for size in sizes:
        stream += _chunk(data[at : at + size], f"{size:x}", b"")
        at += size
    client, server = socket.socketpair()
    with client, server:
        asked = request(server)
        asked.unreader.unread((stream + b"0\r\n\r\n" + NEXT)[:ahead])
        client.sendall((stream + b"0\r\n\r\n" + NEXT)[ahead:])
        body = Body(ChunkedReader(asked, asked.unreader))
        receiver = fast_lane.receiver({"wsgi.input": body})
        assert receiver is not None
        buffer = memoryview(bytearray(taken))
        count = receiver.read_into(buffer)
        assert bytes(buffer[:count]) + body.read() == data
        client.shutdown(socket.SHUT_WR)
        assert asked.unreader.buf.getvalue() + _rest(server) == NEXT


def test_other_bodies_are_left_to_the_server(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    asked = request(ends[1])
    begun = Body(ChunkedReader(asked, asked.unreader))
    ends[0].sendall(b"2\r\nab\r\n0\r\n\r\n")
    assert begun.read(1) == b"a"
    assert fast_lane.receiver({"wsgi.input": begun}) is None
    other = Body(ChunkedReader(types.SimpleNamespace(), IterUnreader([])))
    assert fast_lane.receiver({"wsgi.input": other}) is None
    assert (
        fast_lane.receiver({"wsgi.input": io.BytesIO(b"of uWSGI, or replaced")}) is None
    )

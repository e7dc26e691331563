# SPDX-License-Identifier: Apache-2.0
"""The rest of a refused request's body: read while it comes, and not waited for."""

from __future__ import annotations

import contextlib
import io
import select
import socket
import threading
import time
import types
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import pytest
from gunicorn.http.body import Body
from gunicorn.http.body import ChunkedReader
from gunicorn.http.body import LengthReader
from gunicorn.http.unreader import SocketUnreader

from s3gateway.errors import ClientGone
from s3gateway.http import fast_lane
from s3gateway.http import forwarding
from s3gateway.http import lingering
from s3gateway.http import request_body
from s3gateway.http import servers
from s3gateway.http import waiting
from s3gateway.http import wsgi
from s3gateway.http.waiting import Patience
from s3gateway.http.wsgi import CONTEXT
from s3gateway.http.wsgi import Answer
from tests.support.clock import Clock
from tests.support.s3.memory import MIB

KNOWN = {"HTTP_X_IDENTITY_STATUS": "Confirmed"}
NEXT = b"GET /next HTTP/1.1\r\n\r\n"
REFUSED = b"404 Not Found"
SOON = 10.0  # seconds; what waits wrongly waits for longer, or for ever


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PATIENCE", 0.4)
    monkeypatch.setattr(lingering, "EVENTLETS_PATIENCE", 0.2)


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """More of it than a sender needs on a busy machine."""
    monkeypatch.setattr(waiting, "PATIENCE", 2 * SOON)
    monkeypatch.setattr(lingering, "EVENTLETS_PATIENCE", 2 * SOON)
    monkeypatch.setattr(lingering, "_UWSGIS_PATIENCE", 2 * SOON)


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The client's end of a connection and the server's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
    client.settimeout(10)
    with client, server:
        yield client, server


Ends = tuple[socket.socket, socket.socket]


def of_length(server: socket.socket, length: int, **fields: Any) -> dict[str, Any]:
    """Return a request under gunicorn with a body of known length."""
    body = Body(LengthReader(SocketUnreader(server), length))
    framing = {"CONTENT_LENGTH": str(length)}
    return {"wsgi.input": body, "gunicorn.socket": server, **framing, **KNOWN, **fields}


def in_chunks(server: socket.socket, **fields: Any) -> dict[str, Any]:
    asked = types.SimpleNamespace(
        unreader=SocketUnreader(server),
        limit_request_field_size=0,
        max_buffer_headers=0,
        parse_headers=lambda *args, **kwargs: [],
    )
    body = Body(ChunkedReader(asked, asked.unreader))
    framing = {"HTTP_TRANSFER_ENCODING": "chunked"}
    return {"wsgi.input": body, "gunicorn.socket": server, **framing, **KNOWN, **fields}


class Closing:
    """The body of an answer, and whether it was closed."""

    def __init__(self) -> None:
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        yield REFUSED

    def close(self) -> None:
        self.closed += 1


def refuse(request: dict[str, Any], limit: int = 64 * MIB) -> float:
    """Answer a request as a server does; how long its thread was held afterwards."""
    server = request["gunicorn.socket"]
    answer = lingering.after(request, Answer("404 Not Found", [], Closing()), limit)
    for piece in answer.body:
        server.sendall(piece)
    began = time.monotonic()
    answer.close()
    return time.monotonic() - began


def read_on(request: dict[str, Any]) -> bytes:
    """What gunicorn reads before it takes the next request of a connection."""
    data: bytes = request["wsgi.input"].read(1024)
    return data


@contextlib.contextmanager
def sending(client: socket.socket, *pieces: bytes, pause: float = 0) -> Iterator[None]:
    """Have a client send while something else is done."""

    def send() -> None:
        for piece in pieces:
            client.sendall(piece)
            time.sleep(pause)

    thread = threading.Thread(target=send)
    thread.start()
    yield
    thread.join()


def test_the_answer_goes_first(ends: Ends) -> None:
    _, server = ends
    request = of_length(server, MIB)
    answer = lingering.after(request, Answer("404 Not Found", [], Closing()), MIB)
    assert list(answer.body) == [REFUSED]
    assert request["wsgi.input"].reader.length == MIB


@pytest.mark.usefixtures("patience")
def test_a_body_that_is_being_sent_is_read_to_its_end(ends: Ends) -> None:
    """The connection then is good for the next request."""
    client, server = ends
    request = of_length(server, 5 * MIB)
    with sending(client, *[bytes(MIB)] * 5, NEXT, pause=0.05):
        refuse(request)
    assert read_on(request) == b""
    assert request["wsgi.input"].reader.unreader.read() == NEXT
    assert client.recv(100) == REFUSED


@pytest.mark.usefixtures("patience")
def test_chunks_are_read_to_their_end(ends: Ends) -> None:
    client, server = ends
    request = in_chunks(server)
    chunk = b"40000\r\n" + bytes(MIB // 4) + b"\r\n"
    with sending(client, *[chunk] * 20, b"0\r\n\r\n", NEXT, pause=0.01):
        refuse(request)
    assert read_on(request) == b""
    assert request["wsgi.input"].reader.req.unreader.read() == NEXT


@pytest.mark.usefixtures("patience")
def test_a_body_that_the_fast_lane_has_begun_is_read_to_its_end(ends: Ends) -> None:
    client, server = ends
    request = in_chunks(server)
    chunk = b"40000\r\n" + bytes(MIB // 4) + b"\r\n"
    with sending(client, *[chunk] * 8, b"0\r\n\r\n", NEXT):
        lane = fast_lane.receiver(request)
        assert lane is not None
        assert lane.read_into(memoryview(bytearray(1000)))
        refuse(request)
    assert read_on(request) == b""


@pytest.mark.parametrize("framed", [lambda sock: of_length(sock, MIB), in_chunks])
def test_a_silent_client_is_not_waited_for_long(
    ends: Ends, framed: Callable[[socket.socket], dict[str, Any]]
) -> None:
    client, server = ends
    request = framed(server)
    assert refuse(request) < SOON
    assert client.recv(100) == REFUSED
    began = time.monotonic()
    with pytest.raises(ConnectionResetError):  # gunicorn closes, and keeps nothing
        read_on(request)
    assert server.recv(100) == b""  # and waits for nothing while it closes
    assert time.monotonic() - began < SOON


def test_a_crowd_is_waited_for_a_moment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """But for two of it; or it would hold all threads."""
    monkeypatch.setattr(waiting, "PATIENCE", 60.0)
    pairs = [socket.socketpair() for _ in range(8)]
    threads = [
        threading.Thread(target=refuse, args=[of_length(server, MIB)])
        for _, server in pairs
    ]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 30
    while sum(map(threading.Thread.is_alive, threads)) > 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.2)  # in which others would end as well
    assert sum(map(threading.Thread.is_alive, threads)) == 2
    for client, _ in pairs:
        client.close()
    for thread in threads:
        thread.join()
    for _, server in pairs:
        server.close()


def test_a_client_that_trickles_is_as_one_that_is_silent(ends: Ends) -> None:
    client, server = ends
    over = threading.Event()

    def trickle() -> None:
        while not over.wait(0.01):
            client.sendall(b"x")

    thread = threading.Thread(target=trickle)
    thread.start()
    try:
        assert refuse(of_length(server, MIB)) < SOON
    finally:
        over.set()
        thread.join()


@pytest.mark.usefixtures("patience")
def test_a_client_that_nobody_vouches_for_is_not_waited_for(ends: Ends) -> None:
    client, server = ends
    client.sendall(bytes(1000))
    request = of_length(server, 1000, HTTP_X_IDENTITY_STATUS="Invalid")
    assert refuse(request) < SOON
    assert client.recv(100) == REFUSED
    with pytest.raises(ConnectionResetError):
        read_on(request)


def test_a_body_that_was_read_keeps_its_connection(ends: Ends) -> None:
    """Whatever the sender."""
    client, server = ends
    client.sendall(bytes(1000) + NEXT)
    request = of_length(server, 1000, HTTP_X_IDENTITY_STATUS="Invalid")
    assert len(request["wsgi.input"].read()) == 1000
    refuse(request)
    assert read_on(request) == b""
    assert request["wsgi.input"].reader.unreader.read() == NEXT


@pytest.mark.usefixtures("patience")
def test_no_more_than_the_limit_is_read(ends: Ends) -> None:
    client, server = ends
    request = of_length(server, 64 * MIB)
    with sending(client, bytes(2 * MIB)):
        refuse(request, limit=MIB)
    with pytest.raises(ConnectionResetError):
        read_on(request)


@pytest.mark.usefixtures("patience")
def test_a_client_that_is_gone_is_fine(ends: Ends) -> None:
    client, server = ends
    client.sendall(bytes(10))
    client.close()
    assert refuse(of_length(server, 1000)) < SOON


def test_a_body_of_unknown_framing_is_not_read(ends: Ends) -> None:
    _, server = ends
    request = of_length(server, 1000, HTTP_TRANSFER_ENCODING="xchunked")
    assert refuse(request) < SOON
    with pytest.raises(ConnectionResetError):
        read_on(request)


@pytest.mark.parametrize(
    ("status", "length"), [("204 No Content", 5), ("404 Not Found", 0)]
)
def test_other_answers_are_left_as_they_are(status: str, length: int) -> None:
    answer = Answer(status, [], [b""])
    request = {"wsgi.input": io.BytesIO(), "CONTENT_LENGTH": str(length), **KNOWN}
    assert lingering.after(request, answer, MIB) is answer


def test_the_answer_is_closed_once() -> None:
    body = Closing()
    request = {"wsgi.input": io.BytesIO(), "CONTENT_LENGTH": "5", **KNOWN}
    lingering.after(request, Answer("404 Not Found", [], body), MIB).close()
    assert body.closed == 1


def test_a_server_that_is_not_known_looks_after_its_connections() -> None:
    class Untouched(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise AssertionError("it would wait for ever")

    request = {"wsgi.input": Untouched(), "CONTENT_LENGTH": "5", **KNOWN}
    lingering.after(request, Answer("404 Not Found", [], []), MIB).close()


@pytest.mark.parametrize(
    ("fields", "known"),
    [
        ({}, False),
        ({"HTTP_X_IDENTITY_STATUS": "Confirmed"}, True),
        ({"HTTP_X_IDENTITY_STATUS": "Invalid"}, False),
        ({CONTEXT: {"context": object()}}, True),  # Glance without Keystone
        ({CONTEXT: {}}, False),
        ({"HTTP_X_IDENTITY_STATUS": "Invalid", CONTEXT: {"context": object()}}, False),
    ],
)
def test_who_is_vouched_for(fields: dict[str, Any], known: bool) -> None:

    assert wsgi.has_identity(fields) is known


class Uwsgi:
    """uWSGI's module and its ``wsgi.input``, which waits as long as it takes.

    :param left: of the body, in bytes
    """

    def __init__(self, connection: socket.socket, left: int) -> None:
        self._connection = connection
        self._left = left
        self.waited = False

    def connection_fd(self) -> int:
        return self._connection.fileno()

    def read(self, size: int = 0) -> bytes:
        wanted = min(size or self._left, self._left)
        data = b""
        while len(data) < wanted:
            self.waited |= not self._has(wanted - len(data))
            data += self._connection.recv(wanted - len(data))
        self._left -= len(data)
        return data

    def chunked_read_nb(self) -> bytes | None:
        if not self._left:
            return b""
        if not self._has(1):
            return None
        data = self._connection.recv(min(self._left, 1000))
        self._left -= len(data)
        return data

    def _has(self, count: int) -> bool:
        with contextlib.suppress(BlockingIOError):
            flags = socket.MSG_PEEK | socket.MSG_DONTWAIT
            return len(self._connection.recv(count, flags)) == count
        return False


@pytest.mark.parametrize("framing", ["CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING"])
@pytest.mark.parametrize("sent", [0, 40_000, 100_000])
def test_uwsgi_is_read_from_while_something_comes(
    ends: Ends, monkeypatch: pytest.MonkeyPatch, framing: str, sent: int
) -> None:
    client, server = ends
    uwsgi = Uwsgi(server, 100_000)
    monkeypatch.setattr(servers, "uwsgi", uwsgi)
    value = "100000" if framing == "CONTENT_LENGTH" else "chunked"
    request = {"wsgi.input": uwsgi, framing: value, **KNOWN}
    pieces = [bytes(sent)]  # and then it is silent
    if sent == 100_000:
        pieces = [*[bytes(10_000)] * 10, NEXT]
        monkeypatch.setattr(lingering, "_UWSGIS_PATIENCE", 2 * SOON)
    with sending(client, *pieces, pause=0.02):
        select.select([server], [], [], SOON if sent else 0)
        began = time.monotonic()
        lingering.after(request, Answer("404 Not Found", [], []), MIB).close()
        took = time.monotonic() - began
    assert not uwsgi.waited
    assert took < SOON
    server.setblocking(False)
    left = b""
    with contextlib.suppress(BlockingIOError):
        left = server.recv(100)
    assert left == (NEXT if sent == 100_000 else b"")


class EventletInput:
    """eventlet's ``wsgi.input``, as far as it is used."""

    def __init__(self, connection: socket.socket, left: int) -> None:
        self._connection = connection
        self._left = left

    def get_socket(self) -> socket.socket:
        return self._connection

    def read(self, size: int) -> bytes:
        data = self._connection.recv(min(size, self._left)) if self._left else b""
        self._left -= len(data)
        return data


@pytest.mark.parametrize("sent", [0, 100_000])
def test_eventlet_is_read_from_with_its_sockets_clock(
    ends: Ends, monkeypatch: pytest.MonkeyPatch, sent: int
) -> None:
    client, server = ends
    if sent:
        monkeypatch.setattr(lingering, "EVENTLETS_PATIENCE", 2 * SOON)
    body = EventletInput(server, 100_000)
    request = {"wsgi.input": body, "eventlet.input": body, "CONTENT_LENGTH": "100000"}
    with sending(client, bytes(sent)):
        lingering.after(
            {**request, **KNOWN}, Answer("404 Not Found", [], []), MIB
        ).close()
    assert server.gettimeout() is None
    assert not sent or body.read(1) == b""


def test_a_patience_wears_out_and_is_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(waiting, "time", clock)
    patience = Patience(0.1)

    def slow(timeout: float) -> bytes:
        clock.now += 0.015
        return data

    data = bytes(MIB)
    for _ in range(20):
        assert patience.receive(slow) == data
    data = b"x"
    with pytest.raises(TimeoutError):
        list(iter(lambda: patience.receive(slow), b""))


def test_a_document_of_somebody_unknown_is_not_waited_for(ends: Ends) -> None:

    client, server = ends
    client.sendall(b"[{")
    request = of_length(server, 1000, HTTP_X_IDENTITY_STATUS="Invalid")
    began = time.monotonic()
    with pytest.raises(ClientGone):
        request_body.buffered(request)
    assert time.monotonic() - began < SOON
    assert refuse(request) < SOON


@pytest.fixture
def glance() -> Iterator[Ends]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    with ours, theirs:
        yield ours, theirs


def test_a_body_is_passed_on_until_the_answer_comes(ends: Ends, glance: Ends) -> None:

    client, server = ends
    ours, theirs = glance
    client.sendall(bytes(1000))
    request = of_length(server, MIB)
    pieces = forwarding.forwarded(request, lambda: ours)
    assert pieces is not None
    threading.Timer(0.1, theirs.sendall, [b"HTTP/1.1 404 "]).start()
    with pytest.raises(waiting.Answered):
        list(pieces)
    assert refuse(request) < SOON
    with pytest.raises(ConnectionResetError):  # how far it was read nobody knows
        read_on(request)


def test_a_body_is_passed_on_whole_while_no_answer_comes(
    ends: Ends, glance: Ends
) -> None:

    client, server = ends
    data = bytes(range(256)) * 4 * 1024
    with sending(client, data[:100], data[100:], NEXT, pause=0.05):
        request = of_length(server, len(data))
        pieces = forwarding.forwarded(request, lambda: glance[0])
        assert pieces is not None
        assert b"".join(pieces) == data
    assert type(request["wsgi.input"].reader.unreader.sock) is socket.socket

# SPDX-License-Identifier: Apache-2.0
"""The app that forwards to a remote Glance, called in process."""

from __future__ import annotations

import contextlib
import io
import socket
import threading
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import pytest
import urllib3
from gunicorn.http.body import Body
from gunicorn.http.body import ChunkedReader
from gunicorn.http.body import LengthReader
from gunicorn.http.unreader import SocketUnreader

from s3gateway.config.remote import RemoteSettings
from s3gateway.errors import ClientGone
from s3gateway.errors import GlanceError
from s3gateway.errors import RequestError
from s3gateway.http import waiting
from s3gateway.http import wsgi
from s3gateway.http.wsgi import Answer
from s3gateway.standalone.upstream import Upstream
from tests.support.faults import scripted
from tests.support.faults.scripted import Scripted
from tests.support.s3.memory import MIB

STAGE = "/v2/images/1/stage"
DATA = bytes(range(256)) * 1024


def upstream(url: str) -> Upstream:
    return Upstream(
        RemoteSettings(
            url=url,
            cacert="",
            pass_host=True,
            connect_timeout=60,
            read_timeout=60,
            release=33,
        )
    )


def request(method: str, path: str, data: bytes = b"", **fields: Any) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "gateway",
        "SERVER_PORT": "9292",
        "HTTP_HOST": "gateway",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(data),
        **fields,
    }


@pytest.fixture
def glance() -> Iterator[Scripted]:
    with scripted.serving() as server:
        yield server


def ask(glance: Scripted, environ: dict[str, Any]) -> Answer:
    return wsgi.call(upstream(glance.url), environ)


TERMINATED = {"wsgi.input_terminated": True}


@pytest.mark.parametrize("method", ["PUT", "POST", "PATCH"])
def test_a_body_that_only_its_end_tells_of_is_forwarded_in_chunks(
    glance: Scripted, method: str
) -> None:
    glance.says(STAGE, "204 No Content")
    assert ask(glance, request(method, STAGE, DATA, **TERMINATED)).code == 204
    [seen] = glance.requests
    assert seen.fields("Transfer-Encoding") == ["chunked"]
    assert not seen.fields("Content-Length")
    assert seen.body == DATA


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "POST"])
@pytest.mark.parametrize("fields", [{}, TERMINATED], ids=["PEP 3333", "terminated"])
def test_what_has_no_body_gets_none(
    glance: Scripted, method: str, fields: dict[str, Any]
) -> None:
    """As most requests under gunicorn, which always says that reading ends."""
    glance.says("/v2/x", "200 OK", "Content-Length: 0")
    assert ask(glance, request(method, "/v2/x", **fields)).read() == b""
    [seen] = glance.requests
    assert not seen.fields("Transfer-Encoding")
    assert seen.fields("Content-Length") in ([], ["0"])


def test_without_a_length_there_is_no_body(glance: Scripted) -> None:
    glance.says(STAGE, "204 No Content")
    ask(glance, request("PUT", STAGE, DATA))
    assert glance.requests[0].body == b""


@pytest.mark.parametrize(
    "fields",
    [
        {"CONTENT_LENGTH": "+5"},
        {"CONTENT_LENGTH": "1_0"},
        {"CONTENT_LENGTH": "9" * 5000},
        {"HTTP_TRANSFER_ENCODING": "xchunked", "CONTENT_LENGTH": "13"},
        {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": "13"},
        {"HTTP_TRANSFER_ENCODING": "gzip, chunked"},
    ],
    ids=str,
)
def test_a_body_of_unknown_framing_is_not_forwarded(
    glance: Scripted, fields: dict[str, str]
) -> None:
    with pytest.raises(RequestError):
        ask(glance, request("PUT", STAGE, DATA, **fields))
    assert glance.requests == []


def test_the_length_is_forwarded_as_a_number(glance: Scripted) -> None:
    glance.says(STAGE, "204 No Content")
    ask(glance, request("PUT", STAGE, DATA[:5], CONTENT_LENGTH="005 "))
    assert glance.requests[0].fields("Content-Length") == ["5"]


def broken(glance: Scripted, head: bytes, sent: bytes) -> None:
    """Have Glance break off behind a part of its answer."""

    def die(request: scripted.Request, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + sent)
        connection.shutdown(socket.SHUT_RDWR)
        connection.close()

    glance.answers["/v2/x"] = die


@pytest.mark.parametrize(
    ("head", "sent"),
    [
        (b"Content-Length: 300000", DATA),
        (b"Transfer-Encoding: chunked", b"40000\r\n" + DATA + b"\r\nffff\r\nabc"),
    ],
    ids=["length", "chunked"],
)
def test_an_answer_that_broke_off_keeps_failing(
    glance: Scripted, head: bytes, sent: bytes
) -> None:
    broken(glance, head, sent)
    answer = ask(glance, request("GET", "/v2/x"))
    body = iter(answer.body)
    received: list[bytes] = []
    with pytest.raises(GlanceError):
        received.extend(body)
    for _ in range(3):
        with pytest.raises(GlanceError):
            next(body)
    answer.close()
    answer.close()
    assert (DATA + b"abc").startswith(b"".join(received))


@pytest.mark.parametrize(
    "failure", [MemoryError(), RuntimeError("no more threads"), KeyError("ours")]
)
def test_whatever_breaks_an_answer_off_it_keeps_failing(
    glance: Scripted, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    whole = urllib3.HTTPResponse.stream

    def stream(self: Any, *args: Any, **kwargs: Any) -> Iterator[bytes]:
        pieces = whole(self, *args, **kwargs)
        yield next(pieces)
        raise failure

    monkeypatch.setattr(urllib3.HTTPResponse, "stream", stream)
    glance.says("/v2/x", "200 OK", f"Content-Length: {len(DATA)}", body=DATA)
    body = iter(ask(glance, request("GET", "/v2/x")).body)
    assert next(body)
    for _ in range(3):
        with pytest.raises(type(failure)):
            next(body)


@contextlib.contextmanager
def early(answer: bytes) -> Iterator[str]:
    """Have a Glance that answers when it has seen the head of a request, no more.

    Its connection has to be closed when the answer was read.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(60)
                seen = b""
                while b"\r\n\r\n" not in seen:
                    seen += connection.recv(1000)
                connection.sendall(answer)
                with contextlib.suppress(ConnectionResetError):
                    while connection.recv(MIB):
                        pass

        with futures.ThreadPoolExecutor(1) as pool:
            served = pool.submit(serve)
            yield "http://{}:{}".format(*listener.getsockname())
            served.result()


def of_gunicorn(server: socket.socket, *, chunked: bool) -> dict[str, Any]:
    """Return a request whose client's socket gunicorn has."""
    unreader = SocketUnreader(server)
    if not chunked:
        body = Body(LengthReader(unreader, 5 * MIB))
        return request(
            "PUT", STAGE, CONTENT_LENGTH=str(5 * MIB), **{"wsgi.input": body}
        )
    asked = type("Asked", (), {"unreader": unreader})()
    body = Body(ChunkedReader(asked, unreader))
    fields = {"wsgi.input": body, "HTTP_TRANSFER_ENCODING": "chunked"}
    return request("PUT", STAGE, **fields)


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize(
    "sent", [b"", b"40000\r\n" + DATA[:10_000]], ids=["none", "some"]
)
def test_an_answer_that_comes_before_the_body_is_passed_on(
    sent: bytes, chunked: bool
) -> None:
    """The client may never send it; this would hold a thread for ever."""
    client, server = socket.socketpair()
    refusal = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 4\r\n\r\nnone"
    with client, server, early(refusal) as url:
        thread = threading.Thread(target=client.sendall, args=(sent,))
        thread.start()
        answer = wsgi.call(upstream(url), of_gunicorn(server, chunked=chunked))
        assert answer.code == 401
        assert answer.read() == b"none"
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_nobody_is_waited_for_where_no_answer_can_be_seen(
    monkeypatch: pytest.MonkeyPatch, chunked: bool
) -> None:
    """As with TLS: what comes may be a ticket of TLS and no answer."""
    monkeypatch.setattr(waiting, "PATIENCE", 0.2)
    monkeypatch.setattr(waiting, "can_watch", lambda other: False)
    client, server = socket.socketpair()
    with client, server, early(b"") as url:
        asked = of_gunicorn(server, chunked=chunked)
        with pytest.raises(ClientGone):
            wsgi.call(upstream(url), asked)


def test_a_body_that_comes_slowly_is_forwarded_whole(glance: Scripted) -> None:
    glance.says(STAGE, "204 No Content")
    client, server = socket.socketpair()

    def send() -> None:
        for start in range(0, 5 * MIB, MIB):
            client.sendall(bytes([start // MIB]) * MIB)

    with client, server:
        thread = threading.Timer(0.1, send)
        thread.start()
        answer = wsgi.call(upstream(glance.url), of_gunicorn(server, chunked=False))
        thread.join()
    assert answer.code == 204
    assert len(glance.requests[0].body) == 5 * MIB

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from s3gateway.http.wsgi import call
from s3gateway.standalone.ports import Ports


def app(name: bytes) -> Any:
    def answer(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [name]

    return answer


PORTS = Ports({"9292": app(b"front"), "9293": app(b"face")})


def asked(**environ: object) -> bytes:
    base = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "HTTP_HOST": "x:9293"}
    answer = call(PORTS, {**base, **environ})
    body = answer.read()
    return body if answer.code == 200 else str(answer.code).encode()


def test_the_port_of_the_listener_decides() -> None:
    assert asked(SERVER_PORT="9292") == b"front"
    assert asked(SERVER_PORT="9293") == b"face"
    assert asked(SERVER_PORT="9294") == b"404"
    assert asked() == b"404"


@pytest.fixture
def unix() -> Iterator[socket.socket]:
    one, other = socket.socketpair(socket.AF_UNIX)
    with one, other:
        yield one


def test_gunicorn_on_a_unix_socket_reaches_nothing(unix: socket.socket) -> None:
    """It has taken the port from the field Host, which the client has written."""
    assert asked(SERVER_PORT="9293", **{"gunicorn.socket": unix}) == b"404"


def test_gunicorns_socket_says_which_port_it_is() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        ports = Ports({str(port): app(b"face")})
        environ = {"REQUEST_METHOD": "GET", "gunicorn.socket": listener}
        assert call(ports, {**environ, "SERVER_PORT": "1"}).read() == b"face"


def test_a_client_that_is_gone() -> None:
    sock = socket.socket()
    sock.close()
    assert asked(SERVER_PORT="9293", **{"gunicorn.socket": sock}) == b"404"

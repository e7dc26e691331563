# SPDX-License-Identifier: Apache-2.0
"""HTTP between the stand-alone gateway and a Glance that sends odd answers."""

from __future__ import annotations

import http.client
import pathlib
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from urllib import parse

import pytest
import requests

from tests.support.clients.api import Api
from tests.support.faults import scripted
from tests.support.faults.scripted import Request
from tests.support.faults.scripted import Scripted
from tests.support.s3.memory import MIB
from tests.support.servers import standalone
from tests.support.servers.identity import token
from tests.support.servers.processes import free_port
from tests.support.servers.standalone import Gateway
from tests.support.servers.standalone import GatewaySpec

ALICE = token("alice", "acme", "member", "reader")
ONE_STORE = {
    "DEFAULT": {"enabled_backends": "local:file"},
    "glance_store": {"default_backend": "local"},
}


#: Image data streams; documents are read and masked.
DATA_OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"


@pytest.fixture(scope="module")
def glance() -> Iterator[Scripted]:
    with scripted.serving() as server:
        yield server


@pytest.fixture(scope="module")
def gateway(glance: Scripted, workspace: pathlib.Path) -> Iterator[Gateway]:
    config = {
        **ONE_STORE,
        "s3gateway": {"glance_url": glance.url, "glance_read_timeout": "5"},
    }
    spec = GatewaySpec(config=config, service_user=False)
    with standalone.serving(spec, workspace / "upstream") as running:
        yield running


@pytest.fixture
def api(gateway: Gateway, glance: Scripted) -> Api:
    glance.requests.clear()
    return Api(gateway.url, ALICE)


def talk(gateway: Gateway, text: bytes) -> bytes:
    """Send bytes and return all that comes back until the connection ends."""
    with Api(gateway.url).connect() as connection:
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        found = b""
        while data := connection.recv(65536):
            found += data
        return found


def test_status_reason_and_fields_are_passed_on(api: Api, glance: Scripted) -> None:
    glance.says(
        "/v2/odd",
        "299 Oddly Fine",
        "Content-Length: 4",
        "X-Twice: one",
        "X-Twice: two",
        "X-Latin: caf\xe9",
        "Connection: X-Hop",
        "X-Hop: not for you",
        "Keep-Alive: timeout=5",
        body=b"body",
    )
    answer = requests.get(f"{api.url}/v2/odd?a=%2Fb&c", timeout=60)
    assert (answer.status_code, answer.reason) == (299, "Oddly Fine")
    assert answer.content == b"body"
    assert answer.headers["X-Twice"] == "one, two"
    assert answer.headers["X-Latin"] == "caf\xe9"
    assert "X-Hop" not in answer.headers
    assert "Keep-Alive" not in answer.headers
    assert glance.requests[-1].target == "/v2/odd?a=%2Fb&c"


def test_what_glance_sees_of_the_request(api: Api, glance: Scripted) -> None:
    glance.says("/v2/caf%C3%A9%20/x", "200 OK", "Content-Length: 0")
    requests.get(
        f"{api.url}/v2/caf%C3%A9%20/x",
        headers={
            "Host": "image.example.org",
            "X-Auth-Token": ALICE,
            "X-Service-Token": "a:b:service",
            "X-Roles": "admin",
            "X-User-Id": "root",
            "X-Service-Catalog": "[]",
            "X-Forwarded-For": "192.0.2.9",
            "X-Forwarded-Proto": "https",
            "Forwarded": "for=192.0.2.9",
            "Connection": "keep-alive, X-Hop",
            "X-Hop": "not for Glance",
            "TE": "trailers",
            "Accept": "application/json",
        },
        timeout=60,
    )
    [seen] = glance.requests
    assert seen.fields("Host") == ["image.example.org"]
    assert seen.fields("X-Auth-Token") == [ALICE]
    assert seen.fields("X-Service-Token") == ["a:b:service"]
    assert seen.fields("X-Forwarded-For") == ["127.0.0.1"]
    assert seen.fields("X-Forwarded-Proto") == ["http"]
    assert seen.fields("X-Forwarded-Host") == ["image.example.org"]
    [via] = seen.fields("Via")
    assert re.fullmatch("1.1 s3gateway-[0-9a-f]{16}", via)
    assert seen.fields("Accept-Encoding") == ["identity"]
    assert seen.fields("Accept") == ["application/json"]
    [request_id] = seen.fields("X-Openstack-Request-Id")
    assert request_id.startswith("req-")
    for name in (
        "X-Hop",
        "TE",
        "Forwarded",
        "X-Roles",
        "X-User-Id",
        "X-Project-Id",
        "X-Identity-Status",
        "X-Service-Catalog",
        "X-Service-Roles",
    ):
        assert not seen.fields(name), name


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_bodies_go_in_the_form_they_came_in(
    api: Api, glance: Scripted, method: str
) -> None:
    glance.says("/v2/things", "200 OK", "Content-Length: 0")
    data = bytes(range(256)) * 10_000
    api.request(method, "/v2/things", data)
    api.request(method, "/v2/things", iter([data[:70_000], data[70_000:]]))
    api.request(method, "/v2/things", b"", Content_Length="0")
    with_length, in_chunks, empty = glance.requests
    assert with_length.fields("Content-Length") == [str(len(data))]
    assert not with_length.fields("Transfer-Encoding")
    assert in_chunks.fields("Transfer-Encoding") == ["chunked"]
    assert not in_chunks.fields("Content-Length")
    assert with_length.body == in_chunks.body == data
    assert empty.fields("Content-Length") == ["0"]
    assert not empty.fields("Transfer-Encoding")


def test_head_and_answers_without_a_body(api: Api, glance: Scripted) -> None:
    glance.says("/v2/head", "200 OK", "Content-Length: 12345")
    glance.says("/v2/204", "204 No Content")
    glance.says("/v2/304", "304 Not Modified", 'ETag: "x"', "Content-Length: 7")
    connection = http.client.HTTPConnection(parse.urlsplit(api.url).netloc, timeout=60)
    for method, path, length in (
        ("HEAD", "/v2/head", "12345"),
        ("GET", "/v2/204", None),
        ("GET", "/v2/304", "7"),
        ("HEAD", "/v2/head", "12345"),
    ):
        connection.request(method, path)
        answer = connection.getresponse()
        assert answer.read() == b""
        assert answer.getheader("Content-Length") == length
    connection.close()


def test_a_chunked_answer_is_streamed(api: Api, glance: Scripted) -> None:
    first_seen = threading.Event()

    def trickle(request: Request, connection: socket.socket) -> None:
        connection.sendall(
            DATA_OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n"
        )
        assert first_seen.wait(30), "the first chunk did not go through at once"
        connection.sendall(b"4\r\nlast\r\n0\r\n\r\n")

    glance.answers["/v2/trickle"] = trickle
    with requests.get(f"{api.url}/v2/trickle", stream=True, timeout=60) as answer:
        pieces = answer.iter_content(None)
        assert next(pieces) == b"first"
        first_seen.set()
        assert b"".join(pieces) == b"last"


def test_an_upload_is_streamed(api: Api, glance: Scripted) -> None:
    """Glance has the first piece before the client sends the last."""
    glance.says("/v2/images/1/stage", "204 No Content")
    arrived = threading.Event()

    def watch() -> Iterator[bytes]:
        yield bytes(MIB)
        for _ in range(600):
            if glance.requests and glance.requests[-1].body:
                arrived.set()
                break
            threading.Event().wait(0.05)
        yield b"end"

    answer = api.request("PUT", "/v2/images/1/stage", watch())
    assert answer.status == 204
    assert arrived.is_set()
    assert glance.requests[-1].body == bytes(MIB) + b"end"


def test_expect_is_answered_by_the_gateway(gateway: Gateway, glance: Scripted) -> None:
    glance.says("/v2/things", "200 OK", "Content-Length: 2", body=b"ok")
    with Api(gateway.url).connect() as connection:
        connection.sendall(
            b"PUT /v2/things HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
            b"Content-Length: 4\r\nConnection: close\r\n\r\n"
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 100 Continue")
        connection.sendall(b"data")
        found = b""
        while data := connection.recv(1000):
            found += data
    assert found.startswith(b"HTTP/1.1 200 OK")
    assert glance.requests[-1].body == b"data"
    assert not glance.requests[-1].fields("Expect")


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 100000\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\nffff\r\n",
    ],
    ids=["length", "chunked"],
)
def test_an_answer_that_breaks_off_breaks_the_connection(
    gateway: Gateway, glance: Scripted, head: bytes
) -> None:
    def die(request: Request, connection: socket.socket) -> None:
        connection.sendall(DATA_OK + head + bytes(1000))
        connection.shutdown(socket.SHUT_RDWR)
        connection.close()

    glance.answers["/v2/dies"] = die
    found = talk(gateway, b"GET /v2/dies HTTP/1.1\r\nHost: x\r\n\r\n")
    _, _, body = found.partition(b"\r\n\r\n")
    assert found.startswith(b"HTTP/1.1 200 OK")
    assert len(body) < 100_000
    assert not body.endswith(b"0\r\n\r\n")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        requests.get(f"{gateway.url}/v2/dies", timeout=60)


def test_a_document_that_breaks_off_is_an_error(api: Api, glance: Scripted) -> None:
    kind = "Content-Type: application/json"
    glance.says("/v2/cut", "200 OK", kind, "Content-Length: 100", body=b'{"a": 1}')
    answer = api.request("GET", "/v2/cut")
    assert answer.status == 500
    assert b"broke off" in answer.body


def test_a_patch_of_nothing_that_is_known_goes_without_its_body(
    api: Api, glance: Scripted
) -> None:
    glance.says("/v2/things", "405 Method Not Allowed", "Content-Length: 0")
    glance.requests.clear()
    assert api.request("PATCH", "/v2/things", b"[]").status == 405
    [seen] = glance.requests
    assert seen.body == b""


def test_a_client_that_breaks_off_breaks_the_connection(
    gateway: Gateway, glance: Scripted
) -> None:
    glance.says("/v2/images/1/stage", "204 No Content")
    glance.requests.clear()
    with Api(gateway.url).connect() as connection:
        connection.sendall(
            b"PUT /v2/images/1/stage HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
            b"Content-Type: application/octet-stream\r\n\r\nshort"
        )
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(1000):
            pass
    glance.wait_for_requests(2)
    [seen] = [one for one in glance.requests if one.head.startswith(b"PUT ")]
    assert seen.fields("Content-Length") == ["1000"]
    assert len(seen.body) <= len("short")


def test_connections_are_kept_where_nothing_changes(api: Api, glance: Scripted) -> None:
    glance.says("/v2/kept", "200 OK", "Content-Length: 2", body=b"ok")
    for _ in range(3):
        assert api.request("GET", "/v2/kept").body == b"ok"
    assert len({request.connection for request in glance.requests}) == 1
    for _ in range(2):
        assert api.request("DELETE", "/v2/kept").body == b"ok"
    assert len({request.connection for request in glance.requests}) == 3


def test_a_kept_connection_that_died_is_replaced(api: Api, glance: Scripted) -> None:
    def once(request: Request, connection: socket.socket) -> None:
        seen = [each.connection for each in glance.requests]
        if seen.count(request.connection) > 1:
            connection.shutdown(socket.SHUT_RDWR)  # when the next request is here
            connection.close()
            return
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    glance.answers["/v2/fickle"] = once
    for _ in range(4):
        assert api.request("GET", "/v2/fickle").body == b"ok"


def test_silence_ends(api: Api, glance: Scripted) -> None:
    done = threading.Event()

    def wait(request: Request, connection: socket.socket) -> None:
        done.wait(60)

    glance.answers["/v2/silent"] = wait
    answer = api.request("POST", "/v2/silent", b"x")
    done.set()
    assert answer.status == 504
    assert b"127.0.0.1" not in answer.body


def test_a_glance_that_is_down_is_503(
    workspace: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    spec = GatewaySpec(
        config={**ONE_STORE, "s3gateway": {"glance_url": url}}, service_user=False
    )
    with standalone.serving(spec, tmp_path / "down") as running:
        api = Api(running.url, ALICE)
        answer = api.request("PUT", "/v2/images/1/stage", bytes(1000))
    assert answer.status == 503
    assert url.removeprefix("http://").encode() not in answer.body


def test_a_loop_is_noticed(tmp_path: pathlib.Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    spec = GatewaySpec(
        config={**ONE_STORE, "s3gateway": {"glance_url": url}}, service_user=False
    )
    with standalone.serving(spec, tmp_path / "loop", port) as running:
        assert Api(running.url, ALICE).request("GET", "/v2/x").status == 508
        assert "glance_url leads to the gateway" in running.log


def test_tls_with_a_ca_of_its_own(tmp_path: pathlib.Path) -> None:
    certificate, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    names = ["-subj", "/CN=glance", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", key, "-out", certificate]
    subprocess.run([*command.split(), *names, *files], check=True, capture_output=True)
    with scripted.serving(certificate, key) as glance:
        glance.says("/v2/secret", "200 OK", "Content-Length: 2", body=b"ok")
        for trusted, status in ((certificate, 200), ("", 502)):
            ours = {"glance_url": glance.url, "glance_cacert": trusted}
            spec = GatewaySpec(
                config={**ONE_STORE, "s3gateway": ours}, service_user=False
            )
            with standalone.serving(spec, tmp_path / f"tls-{status}") as running:
                answer = Api(running.url, ALICE).request("GET", "/v2/secret")
                assert answer.status == status

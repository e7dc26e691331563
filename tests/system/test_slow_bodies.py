# SPDX-License-Identifier: Apache-2.0
"""Clients that promise a body and send none; clients whose refused body is all sent."""

from __future__ import annotations

import contextlib
import http.client
import socket
import statistics
import time
from collections.abc import Callable
from collections.abc import Iterator
from urllib import parse

import pytest
import requests

from tests.support.clients.api import OCTETS
from tests.support.clients.api import PATCH
from tests.support.clients.api import Api
from tests.support.clients.api import in_chunks
from tests.support.people import ALICE
from tests.support.s3.memory import MIB
from tests.support.servers.cloud import Cloud
from tests.support.servers.standalone import GatewaySpec
from tests.support.tiers import but

Clouds = Callable[[int], Cloud]

IMAGE = "/v2/images/00000000-0000-4000-8000-000000000000"
CROWD = 256
DEFAULT_TIER = ("gunicorn 33", "uwsgi 33", "stand-alone 33")
AT_ONCE = 8  # as many as there are threads
LENGTH = "Content-Length: 1000000"
CLOSE = "\r\nConnection: close"
CHUNKED = "Transfer-Encoding: chunked"


def gateway(clouds: Clouds, shape: str) -> str:
    """Return the URL of a gateway with eight threads in one process."""
    server, release = shape.split()
    cloud = clouds(int(release))
    if server == "stand-alone":
        return cloud.standalone(GatewaySpec(arguments=("--threads=8",))).url
    return cloud.glance(gateway=True, wsgi=server).url


def head(
    token: str,
    framing: str,
    method: str = "PUT",
    path: str = f"{IMAGE}/file",
    kind: str = OCTETS,
) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: glance", f"Content-Type: {kind}"]
    lines += [f"X-Auth-Token: {token}"] * bool(token) + [framing, "", ""]
    return "\r\n".join(lines).encode()


def answer(connection: socket.socket) -> bytes:
    """Return the beginning of an answer."""
    connection.settimeout(20)
    return connection.recv(4096)


def health_check(url: str) -> float:
    """Return how long a health check takes, in seconds."""
    began = time.monotonic()
    assert requests.get(f"{url}/healthcheck", timeout=60).status_code == 200
    return time.monotonic() - began


def went_on(taken: list[float]) -> bool:
    """Whether health checks were answered as if nothing else were there.

    Of single ones it is not said: other tests have the processors at the same time.
    """
    return statistics.median(taken) < 1 and max(taken) < 10


@contextlib.contextmanager
def crowd(url: str, sent: bytes) -> Iterator[tuple[list[socket.socket], list[float]]]:
    """Have connections that sent this and no more, and the health checks meanwhile."""
    health_check(url)
    connections: list[socket.socket] = []
    taken: list[float] = []
    with contextlib.ExitStack() as stack:
        while len(connections) < CROWD:
            for _ in range(AT_ONCE):
                connections.append(stack.enter_context(Api(url).connect()))
                connections[-1].sendall(sent)
            taken.append(health_check(url))
        taken += [health_check(url) for _ in range(10)]
        yield connections, taken


@pytest.mark.parametrize("framing", but([LENGTH], [LENGTH, LENGTH + CLOSE, CHUNKED]))
@pytest.mark.parametrize(
    "shape", but(DEFAULT_TIER, ["gunicorn 33", "gunicorn 30", "stand-alone 33"])
)
def test_users_that_send_no_bodies_hold_nothing_up(
    clouds: Clouds, shape: str, framing: str
) -> None:
    with crowd(gateway(clouds, shape), head(ALICE, framing)) as (connections, taken):
        assert went_on(taken), taken
        assert all(answer(each).startswith(b"HTTP/1.1 404") for each in connections)


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("PUT", f"{IMAGE}/file", OCTETS),
        ("PUT", f"{IMAGE}/stage", OCTETS),
        ("PATCH", IMAGE, PATCH),
        ("POST", f"{IMAGE}/locations", "application/json"),
        ("POST", "/v2/images", "application/json"),
    ],
    ids=["upload", "stage", "patch", "location", "create"],
)
@pytest.mark.parametrize("framing", but([LENGTH], [LENGTH, CHUNKED]))
def test_nobody_holds_a_stand_alone_gateway_up(
    clouds: Clouds, framing: str, method: str, path: str, kind: str
) -> None:
    """Glance's own filters refuse them before a filter in Glance is asked."""
    sent = head("", framing, method, path, kind)
    with crowd(gateway(clouds, "stand-alone 33"), sent) as (connections, taken):
        assert went_on(taken), taken
        assert all(answer(each).startswith(b"HTTP/1.1 40") for each in connections)


@pytest.mark.parametrize(
    "shape",
    but(
        DEFAULT_TIER,
        [
            "gunicorn 33",
            "gunicorn 30",
            "uwsgi 33",
            "uwsgi-router 33",
            "eventlet 30",
            "stand-alone 33",
        ],
    ),
)
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("pause", but([0.2], [0, 0.2]))
def test_a_client_that_sends_all_reads_the_refusal(
    clouds: Clouds, shape: str, chunked: bool, pause: float
) -> None:
    """And no reset in its place, although it reads only then."""
    pieces, framing = [bytes(MIB)] * 5, f"Content-Length: {5 * MIB}{CLOSE}"
    if chunked:
        pieces = [b"f0000\r\n" + bytes(0xF0000) + b"\r\n"] * 5 + [b"0\r\n\r\n"]
        framing = CHUNKED + CLOSE
    with Api(gateway(clouds, shape)).connect() as connection:
        connection.sendall(head(ALICE, framing))
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(pause)
        assert answer(connection).startswith(b"HTTP/1.1 404")


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("shape", but(["gunicorn 33"], ["gunicorn 33", "gunicorn 30"]))
def test_the_connection_of_a_refused_body_goes_on(
    clouds: Clouds, shape: str, chunked: bool
) -> None:
    """What was read to its end leaves the connection good for the next request."""
    parts = parse.urlsplit(gateway(clouds, shape))
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    headers = {"X-Auth-Token": ALICE, "Content-Type": OCTETS}
    connection.connect()
    sock = connection.sock
    for _ in range(5):
        data = in_chunks(bytes(3 * MIB)) if chunked else bytes(3 * MIB)
        connection.request("PUT", f"{IMAGE}/file", data, headers)
        answer = connection.getresponse()
        assert answer.status == 404
        assert answer.read()
        assert connection.sock is sock  # the server has kept it
    connection.close()

# SPDX-License-Identifier: Apache-2.0
"""Two gunicorns behind HAProxy, by the published examples; one of them stops.

What they serve is no gateway: this is about connections alone.
"""

from __future__ import annotations

import contextlib
import pathlib
import socket
import threading
import time
from collections.abc import Iterator
from concurrent import futures

import pytest
import requests

from tests.support.servers import environments
from tests.support.servers import proxies
from tests.support.servers.glance import ROOT
from tests.support.servers.plain_app import HELD_WHILE
from tests.support.servers.processes import Server
from tests.support.servers.processes import free_port

pytestmark = pytest.mark.full

EXAMPLE = ROOT / "etc" / "haproxy" / "s3gateway.cfg"
CONFIG = ROOT / "etc" / "gunicorn" / "s3gateway.py"
BODY = bytes(100_000)


def gunicorn(port: int, directory: pathlib.Path, *arguments: str) -> Server:
    program = environments.bin_dir("gateway") / "gunicorn"
    return Server(
        "gunicorn",
        [
            program,
            f"--config={CONFIG}",
            f"--bind=127.0.0.1:{port}",
            "--workers=2",
            *arguments,
            "tests.support.servers.plain_app:application",
        ],
        log=directory / f"{port}.log",
        env={"PYTHONPATH": str(ROOT), HELD_WHILE: str(directory / "held")},
        cwd=directory,
    )


@pytest.fixture
def servers(tmp_path: pathlib.Path) -> Iterator[dict[int, Server]]:
    """Two servers, by port."""
    with contextlib.ExitStack() as stack:
        found = {}
        for _ in range(2):
            port = free_port()
            found[port] = stack.enter_context(gunicorn(port, tmp_path))
        for port, server in found.items():
            server.wait_for_url(f"http://127.0.0.1:{port}/")
        yield found


@pytest.fixture
def url(servers: dict[int, Server], tmp_path: pathlib.Path) -> Iterator[str]:
    """The URL of HAProxy before them."""
    front, text = free_port(), EXAMPLE.read_text()
    for number, port in enumerate(servers, 1):
        text = text.replace(f"192.0.2.1{number}:9292", f"127.0.0.1:{port}")
    config = tmp_path / "haproxy.cfg"
    config.write_text(text.replace("0.0.0.0:9292", f"127.0.0.1:{front}"))
    with proxies.haproxy(config) as server:
        server.wait_for_url(f"http://127.0.0.1:{front}/")
        yield f"http://127.0.0.1:{front}"


@contextlib.contextmanager
def busy(url: str) -> Iterator[list[int]]:
    """Send requests all the time, on new connections and on old ones; all succeed."""
    over = threading.Event()
    answered: list[int] = []

    def go() -> None:
        with requests.Session() as session:
            while not over.is_set():
                for send in (session.request, requests.request):
                    for method, body in (("GET", b""), ("PUT", BODY)):
                        answer = send(method, url, data=body, timeout=60)
                        assert answer.status_code == 200
                        size, _, server = answer.text.partition(" ")
                        assert int(size) == len(body)
                        answered.append(int(server))

    with futures.ThreadPoolExecutor(3) as pool:
        going = [pool.submit(go) for _ in range(3)]
        try:
            yield answered
        finally:
            over.set()
        for each in going:
            each.result(90)


def soon(at_least: int, answered: list[int]) -> None:
    """Wait until so many more requests were answered."""
    enough, deadline = len(answered) + at_least, time.monotonic() + 120
    while len(answered) < enough:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_one_is_stopped(
    url: str, servers: dict[int, Server], tmp_path: pathlib.Path
) -> None:
    """What it has begun ends whole, and no other request sees anything of it."""
    stopped, other = servers.values()
    (tmp_path / "held").touch()
    with contextlib.ExitStack() as stack:
        running: dict[int, list[Iterator[bytes]]] = {}
        for _ in range(4):
            answer = requests.get(f"{url}/held", stream=True, timeout=120)
            body = stack.enter_context(answer).iter_content(64)
            running.setdefault(int(next(body)), []).append(body)
        assert set(running) == {stopped.pid, other.pid}
        with busy(url) as answered:
            soon(20, answered)
            stopped.ask_to_stop()
            time.sleep(1)
            before = len(answered)
            soon(40, answered)
        assert set(answered[before:]) == {other.pid}
        assert stopped.process.poll() is None
        (tmp_path / "held").unlink()
        for bodies in running.values():
            assert [b"".join(body) for body in bodies] == [b" whole"] * 2
    assert stopped.process.wait(60) == 0


def test_one_is_killed_between_requests(url: str, servers: dict[int, Server]) -> None:
    killed, other = servers.values()
    with contextlib.ExitStack() as stack:
        kept = [stack.enter_context(requests.Session()) for _ in range(4)]
        for session in kept:
            assert session.get(url, timeout=60).ok
        killed.kill()
        for session in kept:
            for answer in (
                session.put(url, BODY, timeout=60),
                session.get(url, timeout=60),
            ):
                assert answer.text.partition(" ")[2] == str(other.pid)


@pytest.mark.parametrize("asked", ["bad", "last"])
def test_clients_that_do_not_close_their_connections(
    tmp_path: pathlib.Path, asked: str
) -> None:
    """Nobody waits for them."""
    request = {
        "bad": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "last": b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    }[asked]
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    with gunicorn(port, tmp_path, "--workers=1") as server:
        server.wait_for_url(url)
        with contextlib.ExitStack() as stack:
            began = time.monotonic()
            for _ in range(20):
                client = socket.create_connection(("127.0.0.1", port), timeout=60)
                stack.enter_context(client).sendall(request)
                assert client.recv(5) == b"HTTP/"
            assert requests.get(url, timeout=60).ok
            assert time.monotonic() - began < 20


def test_a_stop_with_clients_that_have_sent_nothing(tmp_path: pathlib.Path) -> None:
    """They do not hold it up, whether a thread waits for them or none any more."""
    port = free_port()
    with gunicorn(port, tmp_path, "--workers=1") as server:
        server.wait_for_url(f"http://127.0.0.1:{port}/")
        with contextlib.ExitStack() as stack:
            for pause in (7, 1):  # gunicorn's threads wait for five seconds
                client = socket.create_connection(("127.0.0.1", port), timeout=60)
                stack.enter_context(client)
                time.sleep(pause)
            server.ask_to_stop()
            assert server.process.wait(30) == 0

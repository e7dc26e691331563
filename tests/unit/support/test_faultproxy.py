# SPDX-License-Identifier: Apache-2.0
"""The fault proxy: what it passes on, and that each fault does what it says."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.support.faults import s3_faults
from tests.support.faults.fault import Fault
from tests.support.faults.faultproxy import FaultProxy

DATA = bytes(range(256)) * 4096  # 1 MiB
BROKEN = (OSError, http.client.HTTPException)


class Handler(http.server.BaseHTTPRequestHandler):
    """Hands out ``DATA``, takes anything, and remembers it."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self._answer(200, DATA)

    def do_HEAD(self) -> None:
        self._answer(200, DATA)

    def do_PUT(self) -> None:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            length = int(self.headers["Content-Length"])
            body = self.rfile.read(length)
            if len(body) < length:
                return
        self.server.taken.append((self.headers["Host"], body))
        self._answer(206, b"thanks", [("Content-Range", "bytes 0-5/6")])

    def _answer(
        self, status: int, body: bytes, headers: list[tuple[str, str]] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in headers or []:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            with contextlib.suppress(OSError):  # the proxy may have gone away
                self.wfile.write(body)

    def log_message(self, *ignored: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    """What the proxy stands in front of."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.taken: list[tuple[str, bytes]] = []

    def handle_error(self, *ignored: object) -> None:
        """The tests are about connections that break off."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(server: Server) -> Iterator[FaultProxy]:
    with FaultProxy(f"http://127.0.0.1:{server.server_port}") as proxy:
        yield proxy


def ask(
    proxy: FaultProxy,
    method: str = "GET",
    path: str = "/bucket/key",
    body: object = None,
    connection: http.client.HTTPConnection | None = None,
) -> tuple[int, bytes, dict[str, str]]:
    """Send a request; the body of an error is its status alone."""
    own = connection or http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=30)
    try:
        own.request(method, path, body, {"Host": "s3.example:99"})  # type: ignore[arg-type]
        answer = own.getresponse()
        return answer.status, answer.read(), dict(answer.headers)
    finally:
        if connection is None:
            own.close()


def test_what_no_fault_happens_to_passes_untouched(
    proxy: FaultProxy, server: Server
) -> None:
    proxy.add(s3_faults.ResetBefore(), method="DELETE")
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=30)
    for body in (DATA, iter([DATA[:70_000], DATA[70_000:]]), b""):
        expected = body if isinstance(body, bytes) else DATA
        status, answer, _ = ask(proxy, "PUT", body=body, connection=connection)
        assert (status, answer) == (206, b"thanks")
        assert server.taken.pop() == ("s3.example:99", expected)
    assert ask(proxy, connection=connection)[:2] == (200, DATA)
    status, answer, headers = ask(proxy, "HEAD", connection=connection)
    assert (status, answer) == (200, b"")
    assert headers["Content-Length"] == str(len(DATA))
    connection.close()
    assert [r.method for r in proxy.requests] == ["PUT", "PUT", "PUT", "GET", "HEAD"]


def test_which_requests_a_fault_happens_to(proxy: FaultProxy) -> None:
    fault = proxy.add(
        s3_faults.SlowDown(), method="PUT", key="^/b/one", query="part", nth=2, times=2
    )
    paths = ["/b/one?part=1", "/b/two?part=1", "/b/one", "/b/%6fne?part=2"]
    statuses = [ask(proxy, "PUT", path, b"")[0] for path in paths]
    statuses += [ask(proxy, "PUT", "/b/one?part=3", b"")[0] for _ in range(2)]
    assert statuses == [206, 206, 206, 503, 503, 206]
    assert [event.request.query for event in fault.events] == ["part=2", "part=3"]
    assert str(fault.events[0]) == (
        "SlowDown(status=503, code='SlowDown', done=False) at byte 0 of request 4: "
        "PUT /b/one?part=2"
    )


@pytest.mark.parametrize(
    ("fault", "taken"),
    [
        (s3_faults.ResetBefore(), 0),
        (s3_faults.ResetWithin(500_000), 0),
        (s3_faults.ResetAfter(), 1),
    ],
)
def test_resets(proxy: FaultProxy, server: Server, fault: Fault, taken: int) -> None:
    proxy.add(fault)
    with pytest.raises(BROKEN):
        ask(proxy, "PUT", body=DATA)
    assert len(fault.events) == 1
    assert ask(proxy, "PUT", body=b"again")[0] == 206
    assert len(server.taken) == taken + 1


def test_a_fault_is_not_spent_on_a_request_that_was_given_up(proxy: FaultProxy) -> None:
    fault = proxy.add(s3_faults.ResetWithin(500_000), method="PUT")
    with socket.create_connection(("127.0.0.1", proxy.port)) as gives_up:
        gives_up.sendall(b"PUT /bucket/key HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc")
        while not proxy.requests:
            time.sleep(0.01)
    with pytest.raises(BROKEN):
        ask(proxy, "PUT", body=DATA)
    assert len(fault.events) == 1
    assert ask(proxy, "PUT", body=DATA)[0] == 206


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (s3_faults.SlowDown(), (503, b"<Code>SlowDown</Code>")),
        (s3_faults.Answer(200, "InternalError", done=True), (200, b"InternalError")),
        (
            s3_faults.Answer(301, "X", headers={"x-amz-bucket-region": "eu"}),
            (301, b"X"),
        ),
    ],
)
def test_answers_in_place_of_the_servers(
    proxy: FaultProxy,
    server: Server,
    fault: s3_faults.Answer,
    expected: tuple[int, bytes],
) -> None:
    proxy.add(fault)
    status, body, _ = ask(proxy, "PUT", body=DATA)
    assert status == expected[0]
    assert expected[1] in body
    assert len(server.taken) == fault.done


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("release", [False, True])
def test_a_stall_lasts_until_it_is_released_or_dropped(
    proxy: FaultProxy, server: Server, done: bool, release: bool
) -> None:
    stall = proxy.add(s3_faults.Stall(done=done))
    found: list[int] = []

    def put() -> None:
        with contextlib.suppress(*BROKEN):
            found.append(ask(proxy, "PUT", body=DATA)[0])

    thread = threading.Thread(target=put)
    thread.start()
    assert stall.reached.wait(30)
    assert len(server.taken) == done
    assert ask(proxy)[0] == 200  # nobody else is held
    assert not found
    stall.release() if release else stall.drop()
    thread.join()
    assert found == ([206] if release else [])
    assert len(server.taken) == (done or release)


def test_a_stall_within_an_answer(proxy: FaultProxy) -> None:
    stall = proxy.add(s3_faults.Stall(after=300_000))
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=30)
    connection.request("GET", "/")
    answer = connection.getresponse()
    assert answer.read(300_000) == DATA[:300_000]
    assert stall.reached.wait(30)
    assert stall.events[0].at == 300_000
    stall.release()
    assert answer.read() == DATA[300_000:]
    connection.close()


@pytest.mark.parametrize("reset", [False, True])
def test_a_truncated_answer(proxy: FaultProxy, reset: bool) -> None:
    fault = proxy.add(s3_faults.Truncate(400_001, reset=reset))
    with pytest.raises(BROKEN) as error:
        ask(proxy)
    if isinstance(error.value, http.client.IncompleteRead):
        assert error.value.partial == DATA[:400_001]
    assert isinstance(error.value, ConnectionResetError) == reset
    assert fault.events[0].at == 400_001
    assert ask(proxy)[1] == DATA


@pytest.mark.parametrize("upwards", [False, True])
def test_a_corrupt_byte(proxy: FaultProxy, server: Server, upwards: bool) -> None:
    fault = proxy.add(s3_faults.Corrupt(300_000, upwards=upwards))
    body = ask(proxy, "PUT" if upwards else "GET", body=DATA if upwards else None)[1]
    changed = server.taken[0][1] if upwards else body
    assert [at for at in range(len(DATA)) if changed[at] != DATA[at]] == [300_000]
    assert fault.events[0].at == 300_000


def test_wrong_answers_to_ranges(proxy: FaultProxy) -> None:
    proxy.add(s3_faults.WrongRange())
    proxy.add(s3_faults.RangeIgnored(), nth=2)
    status, _, headers = ask(proxy, "PUT", body=b"")
    assert (status, headers["Content-Range"]) == (206, "bytes 1-5/6")
    status, _, headers = ask(proxy, "PUT", body=b"")
    assert (status, headers.get("Content-Range")) == (200, None)


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        (s3_faults.Delay(0.3), 0.3),
        (s3_faults.Rate(len(DATA) / 0.3), 0.3),
        (s3_faults.SlowClose(0.3), 0.0),
    ],
)
def test_slowness(proxy: FaultProxy, fault: Fault, seconds: float) -> None:
    proxy.add(fault)
    began = time.monotonic()
    assert ask(proxy)[1] == DATA
    assert time.monotonic() - began >= seconds
    assert fault.reached.wait(30)


def test_a_rate_is_shared(proxy: FaultProxy) -> None:
    proxy.add(s3_faults.Rate(4 * len(DATA)), times=None)
    began = time.monotonic()
    threads = [threading.Thread(target=ask, args=(proxy,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - began >= 0.9


def test_down_and_up_again(proxy: FaultProxy) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=30)
    assert ask(proxy, connection=connection)[0] == 200
    proxy.down()
    for again in (connection, None):
        with pytest.raises(BROKEN):
            ask(proxy, connection=again)
    connection.close()
    proxy.up()
    assert ask(proxy)[1] == DATA


def test_leaving_ends_what_is_held(server: Server) -> None:
    with FaultProxy(f"http://127.0.0.1:{server.server_port}") as proxy:
        stall = proxy.add(s3_faults.Stall())
        connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=30)
        connection.request("GET", "/")
        assert stall.reached.wait(30)
    with pytest.raises(BROKEN):
        connection.getresponse()
    connection.close()

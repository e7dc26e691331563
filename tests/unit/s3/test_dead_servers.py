# SPDX-License-Identifier: Apache-2.0
"""A server that does not answer makes no request wait for long."""

from __future__ import annotations

import dataclasses
import http.server
import socket
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import pytest

from s3gateway.download import failover
from s3gateway.download.failover import Copies
from s3gateway.download.failover import Copy
from s3gateway.errors import StoreUnavailable
from s3gateway.http.ranges import Span
from s3gateway.s3.store import S3Store
from s3gateway.streams import retries
from s3gateway.upload.claims import Attempt
from s3gateway.upload.exclusion import Claims
from tests.support.s3 import silent
from tests.support.s3.memory import MemoryStore
from tests.support.s3.memory import store_settings
from tests.support.s3.stores import TRANSFER
from tests.support.servers import web
from tests.support.servers.processes import free_port

PATIENT = dataclasses.replace(TRANSFER, connect_timeout=20.0, retry_time=60.0)


@pytest.fixture
def dead(monkeypatch: pytest.MonkeyPatch) -> S3Store:
    monkeypatch.setattr(retries, "_REACHING", 0.5)
    endpoint = f"http://127.0.0.1:{free_port()}"
    return S3Store(store_settings(endpoint=endpoint), PATIENT)


def test_a_claim_is_not_waited_for(dead: S3Store) -> None:
    assert dead.bucket.connection  # made before: that takes a moment of its own
    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        Claims({"fast": dead}, 300.0).take("image", Attempt("fast", "key"))
    assert time.monotonic() - began < 10


@pytest.fixture(params=silent.ALL)
def silence(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[S3Store]:
    """A store whose server is silent, which a client is told after a second."""
    monkeypatch.setattr(retries, "_ANSWERING", 1.0)
    monkeypatch.setattr(retries, "_REACHING", 0.5)
    with silent.ALL[request.param]() as endpoint:
        yield S3Store(store_settings(endpoint=endpoint), PATIENT)


def sign_of_life(store: S3Store) -> None:
    with retries.while_nothing_moved():
        store.ping()


def claim(store: S3Store) -> None:
    Claims({"fast": store}, 300.0).take("image", Attempt("fast", "key"))


def first_bytes(store: S3Store) -> None:
    copies = [Copy(store, "bucket", "key")]
    with retries.while_nothing_moved():
        Copies("image", copies, Span(0, 1), size=1, retry_time=60).read()


@pytest.mark.parametrize("ask", [sign_of_life, claim, first_bytes])
def test_nobody_waits_for_a_silent_server(
    silence: S3Store, ask: Callable[[S3Store], None]
) -> None:
    assert silence.bucket.connection
    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        ask(silence)
    assert time.monotonic() - began < 10
    assert silence.is_down


def test_a_server_that_is_started_again() -> None:
    """It refuses connections for a moment, and an upload begins just then."""
    address = ("127.0.0.1", 0)
    with http.server.HTTPServer(address, web.Fine, bind_and_activate=False) as server:
        server.server_bind()  # it does not listen yet
        endpoint = f"http://127.0.0.1:{server.server_port}"
        store = S3Store(store_settings(endpoint=endpoint), PATIENT)

        def start() -> None:
            server.server_activate()
            server.handle_request()

        later = threading.Timer(0.5, start)
        later.start()
        sign_of_life(store)
        later.join()


def test_a_name_with_many_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """As AWS gives: the time is for all of them."""
    monkeypatch.setattr(retries, "_ANSWERING", 2.0)
    monkeypatch.setattr(retries, "_REACHING", 0.5)
    found = socket.getaddrinfo

    def eight(*words: Any, **more: Any) -> list[Any]:
        return found(*words, **more) * 8

    with silent.dropping_packets() as endpoint:
        store = S3Store(store_settings(endpoint=endpoint), PATIENT)
        assert store.bucket.connection
        monkeypatch.setattr(socket, "getaddrinfo", eight)
        began = time.monotonic()
        with pytest.raises(StoreUnavailable):
            sign_of_life(store)
        assert 1 < time.monotonic() - began < 10


def test_the_next_copy_is_read_when_the_first_is_silent(
    silence: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long before the time is up: the other store needs some of it."""
    monkeypatch.setattr(failover, "_ANSWER", 0.5)
    monkeypatch.setattr(retries, "_ANSWERING", 60.0)
    other = MemoryStore(store_settings("cheap"))
    other.write("key", b"data")
    copies = [Copy(silence, "bucket", "key"), Copy(other, "cheap", "key")]
    assert silence.bucket.connection
    began = time.monotonic()
    with retries.while_nothing_moved():
        found = Copies("image", copies, Span(0, 4), size=4, retry_time=60).read()
    assert found == b"data"
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("protocol", ["HTTP/1.1", "HTTP/1.0"])
def test_a_body_that_has_begun_may_be_silent_for_longer(
    monkeypatch: pytest.MonkeyPatch, protocol: str
) -> None:
    """The limit is on the wait for an answer, not on what comes with it."""
    monkeypatch.setattr(retries, "_ANSWERING", 3.0)
    monkeypatch.setattr(Slow, "pause", 4.0)
    monkeypatch.setattr(Slow, "protocol_version", protocol)
    with web.serving(Slow) as endpoint:
        store = S3Store(store_settings(endpoint=endpoint), PATIENT)
        assert store.bucket.connection
        with retries.while_nothing_moved():
            reader = store.read("key", Span(0, 4), size=4)
        assert reader.read(2) + reader.read(2) == b"data"


class Slow(http.server.BaseHTTPRequestHandler):
    """Answers at once, and sends the second half of the body a while later."""

    protocol_version = "HTTP/1.1"
    pause = 0.0

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"da")
        time.sleep(self.pause)
        self.wfile.write(b"ta")

    def log_message(self, *words: object) -> None:
        pass


def test_it_counts_as_down_for_a_moment(dead: S3Store) -> None:
    assert not dead.is_down
    with pytest.raises(StoreUnavailable):
        dead.read("key", Span(0, 1), size=1)
    assert dead.is_down


class Refusing:
    """A store that fails some times."""

    def __init__(self, times: int, *, reached: bool) -> None:
        self.error = StoreUnavailable("Store fast broke off")
        self.error.store_wide = not reached
        self.times = times

    def __call__(self) -> str:
        self.times -= 1
        if self.times >= 0:
            raise self.error
        return "done"


def patiently(ask: Callable[[], str]) -> str:
    return retries.patiently(ask, about="it", retry_time=60, store="fast")


def test_a_store_that_goes_on_refusing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given up in time to tell the client, whatever ``retry_time`` is."""
    monkeypatch.setattr(retries, "_REFUSING", 0.5)
    began = time.monotonic()
    with retries.while_nothing_moved(), pytest.raises(StoreUnavailable):
        patiently(Refusing(1000, reached=True))
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("reached", [False, True])
def test_patience_where_nothing_has_moved(
    reached: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that answers and is busy is asked for longer."""
    monkeypatch.setattr(retries, "_REACHING", 0.01)
    refusing = Refusing(3, reached=reached)
    with retries.while_nothing_moved():
        if reached:
            assert patiently(refusing) == "done"
            return
        with pytest.raises(StoreUnavailable):
            patiently(refusing)
    # Bytes that have come in are worth more patience.
    assert patiently(refusing) == "done"

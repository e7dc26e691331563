# SPDX-License-Identifier: Apache-2.0
"""What a worker listens at, and whom it waits for, over real connections."""

from __future__ import annotations

import logging
import os
import selectors
import socket
import time
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.workers.gthread import TConn
from gunicorn.workers.gthread import ThreadWorker

from s3gateway.standalone import awaited
from s3gateway.standalone.worker import Worker
from tests.support.clock import Clock

_MOST = 3


class Idle(Worker):
    """A worker that accepts connections and serves none.

    :ivar accepted: the connections
    """

    def __init__(self, listeners: list[socket.socket]) -> None:
        config = Config()
        config.set("worker_connections", _MOST)
        config.set("threads", 1)
        log = logging.getLogger("gunicorn.tests")
        super().__init__(1, os.getppid(), listeners, None, 30, config, log)
        self.poller = selectors.DefaultSelector()
        self.accepted: list[Any] = []

    def enqueue_req(self, conn: Any) -> None:
        self.accepted.append(conn)

    def close(self) -> None:
        for connection in self.accepted:
            connection.sock.close()
        for listener in self.sockets:
            listener.close()
        self.poller.close()
        self.tmp.close()


@pytest.fixture
def worker() -> Iterator[Idle]:
    """A worker that listens at two ports."""
    found = Idle([socket.create_server(("127.0.0.1", 0)) for _ in range(2)])
    found.set_accept_enabled(True)
    yield found
    found.close()


@pytest.fixture
def addresses(worker: Idle) -> list[Any]:
    return [listener.getsockname() for listener in worker.sockets]


@pytest.fixture
def ended() -> futures.Future[Any]:
    """What a thread leaves of a connection that has had its last response."""
    found: futures.Future[Any] = futures.Future()
    found.set_result(False)
    return found


def refuses(address: Any) -> bool:
    try:
        socket.create_connection(address, timeout=10).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_pause_keeps_them(worker: Idle, addresses: list[Any]) -> None:
    worker.set_accept_enabled(False)
    assert not any(map(refuses, addresses))
    assert worker.accepted == []
    worker.set_accept_enabled(True)


def test_a_stop_takes_what_has_come_and_refuses_the_rest(
    worker: Idle, addresses: list[Any]
) -> None:
    clients = [socket.create_connection(address) for address in addresses]
    worker.alive = False
    worker.set_accept_enabled(False)
    taken = {connection.client for connection in worker.accepted}
    assert taken == {client.getsockname() for client in clients}
    assert all(map(refuses, addresses))
    for client in clients:
        client.close()


def test_a_worker_that_is_full_takes_no_more(
    worker: Idle, addresses: list[Any]
) -> None:
    clients = [socket.create_connection(addresses[0]) for _ in range(_MOST + 1)]
    worker.alive = False
    worker.set_accept_enabled(False)
    assert len(worker.accepted) == _MOST
    assert all(map(refuses, addresses))
    for client in clients:
        client.close()


@pytest.mark.parametrize("enabled", [True, False])
def test_one_that_pauses_or_goes_on_just_then_stops(
    worker: Idle, addresses: list[Any], enabled: bool
) -> None:
    """gunicorn calls it again when its loop has ended."""
    worker.set_accept_enabled(not enabled)
    worker.alive = False
    worker.set_accept_enabled(enabled)
    worker.set_accept_enabled(False)
    assert all(map(refuses, addresses))


def test_one_that_was_paused_stops(worker: Idle, addresses: list[Any]) -> None:
    worker.set_accept_enabled(False)
    worker.alive = False
    worker.set_accept_enabled(False)
    assert all(map(refuses, addresses))


@pytest.fixture
def connection(worker: Idle) -> Iterator[TConn]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield TConn(worker.cfg, ours, None, None)


@pytest.mark.parametrize(
    "answering", ["handle_request", "handle_http2", "handle_h2c_upgrade"]
)
def test_a_request_that_has_come_is_answered_as_long_as_it_takes(
    worker: Idle, connection: TConn, monkeypatch: pytest.MonkeyPatch, answering: str
) -> None:
    clock = Clock()
    monkeypatch.setattr(awaited, "time", clock)
    before = ("request",) if answering == "handle_request" else ()
    closed: list[int] = []

    def handle(self: Idle, conn: TConn) -> None:
        clock.now += worker.patience - 1
        getattr(self, answering)(*before, conn)

    def answer(self: Idle, *words: object) -> None:
        clock.now += worker.patience
        closed.append(self._awaited.close_late())

    monkeypatch.setattr(ThreadWorker, "handle", handle)
    # Not all of them are in every release of gunicorn.
    monkeypatch.setattr(ThreadWorker, answering, answer, raising=False)
    worker.handle(connection)
    assert closed == [0]


def test_a_stop_takes_what_has_come_beside_those_that_close(
    worker: Idle, addresses: list[Any], ended: futures.Future[Any]
) -> None:
    """As many as it may have, which have had their last response."""
    clients = [socket.create_connection(addresses[0]) for _ in range(_MOST)]
    while len(worker.accepted) < _MOST:
        worker.accept(worker.sockets[0])
    for connection in worker.accepted:
        worker.finish_request(connection, ended)
    clients.append(socket.create_connection(addresses[1]))
    worker.alive = False
    worker.set_accept_enabled(False)
    assert worker.accepted[-1].client == clients[-1].getsockname()
    for client in clients:
        client.close()


def test_nobody_waits_for_clients_that_do_not_close(
    worker: Idle, addresses: list[Any], ended: futures.Future[Any]
) -> None:
    """gunicorn would read from each of them for two seconds, in its main thread."""
    clients = [socket.create_connection(addresses[0]) for _ in range(_MOST)]
    began = time.monotonic()
    while len(worker.accepted) < _MOST:
        worker.accept(worker.sockets[0])
    for connection in worker.accepted:
        worker.finish_request(connection, ended)
    assert time.monotonic() - began < worker.farewell
    assert [client.recv(1) for client in clients] == [b""] * _MOST
    assert worker.nr_conns == _MOST
    for client in clients:
        client.close()
    while worker.nr_conns:
        worker.wait_for_and_dispatch_events(10)


@pytest.mark.parametrize("outcome", [True, OSError()], ids=["kept", "broken"])
def test_others_are_gunicorns_to_keep_or_close(
    worker: Idle, connection: TConn, outcome: bool | OSError
) -> None:
    handled: futures.Future[Any] = futures.Future()
    if isinstance(outcome, OSError):
        handled.set_exception(outcome)
    else:
        handled.set_result(outcome)
        connection.init()
    worker.nr_conns = 1
    worker.finish_request(connection, handled)
    kept = outcome is True
    assert (len(worker.keepalived_conns), worker.nr_conns) == (kept, kept)


def test_a_stop_does_not_wait_for_those_that_have_sent_nothing(
    worker: Idle, connection: TConn, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not every release of gunicorn has it.
    monkeypatch.setattr(ThreadWorker, "murder_pending", lambda _: None, raising=False)
    worker.pending_conns = [connection]
    connection.timeout = before = time.monotonic() + 75
    worker.murder_pending()
    assert connection.timeout == before
    worker.alive = False
    worker.murder_pending()
    latest = connection.timeout
    assert latest <= time.monotonic() + worker.farewell
    worker.murder_pending()
    assert connection.timeout == latest  # it is put off no further

# SPDX-License-Identifier: Apache-2.0
"""How long is waited for clients that are to close their connections."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Iterator

import pytest

from s3gateway.standalone import closing
from s3gateway.standalone.closing import Closing
from tests.support.clock import Clock

_PATIENCE = 2.0


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(closing, "time", found)
    return found


class Ground:
    """Connections, and a loop that serves them as gunicorn's does.

    :ivar closed: how many are closed
    """

    def __init__(self) -> None:
        self.closed = 0
        self.poller = selectors.DefaultSelector()
        self.closing = Closing(_PATIENCE, self._count)
        self._sockets: list[socket.socket] = []

    def _count(self) -> None:
        self.closed += 1

    def connection(self) -> tuple[socket.socket, socket.socket]:
        """Return the server's socket and the client's."""
        found = socket.socketpair()
        self._sockets += found
        return found

    def end(self) -> tuple[socket.socket, socket.socket]:
        """Have a connection that is to be closed."""
        ours, theirs = self.connection()
        self.closing.begin(ours, self.poller)
        return ours, theirs

    def turn(self) -> None:
        """Serve what is ready."""
        for key, _ in self.poller.select(0):
            key.data(key.fileobj)
        self.closing.close_late(self.poller)

    def stop(self) -> None:
        self.poller.close()
        for each in self._sockets:
            each.close()


@pytest.fixture
def ground() -> Iterator[Ground]:
    found = Ground()
    yield found
    assert not found.poller.get_map()
    found.stop()


def test_one_that_the_client_closes(ground: Ground) -> None:
    ours, theirs = ground.end()
    assert theirs.recv(1) == b""  # the server sends no more
    ground.turn()
    assert ground.closed == 0
    theirs.close()
    ground.turn()
    assert (ground.closed, ours.fileno()) == (1, -1)


def test_those_that_no_client_closes(ground: Ground, clock: Clock) -> None:
    first, _ = ground.end()
    clock.now += 1
    second, _ = ground.end()
    clock.now += 1
    ground.turn()
    assert (first.fileno(), second.fileno() != -1) == (-1, True)
    clock.now += 1
    ground.turn()
    assert (second.fileno(), ground.closed) == (-1, 2)


def test_what_a_client_still_sends_is_read(ground: Ground, clock: Clock) -> None:
    ours, theirs = ground.end()
    for _ in range(3):
        theirs.sendall(bytes(1000))
        ground.turn()
        assert ours.fileno() != -1
    clock.now += _PATIENCE  # sending gives it no more time
    ground.turn()
    assert (ours.fileno(), ground.closed) == (-1, 1)


def test_one_whose_client_sends_on_and_on(ground: Ground) -> None:
    ours, theirs = ground.end()
    theirs.setblocking(False)
    sent = 0
    while ours.fileno() != -1:
        sent += theirs.send(bytes(4096))
        ground.turn()
    assert (sent, ground.closed) == (64 * 1024, 1)


def test_one_that_is_reset(ground: Ground) -> None:
    ours, theirs = ground.end()
    theirs.shutdown(socket.SHUT_RDWR)
    ground.turn()
    assert (ours.fileno(), ground.closed) == (-1, 1)


def test_one_that_is_closed_already(ground: Ground) -> None:
    ours, _ = ground.connection()
    ours.close()
    ground.closing.begin(ours, ground.poller)
    assert ground.closed == 1
    ground.turn()

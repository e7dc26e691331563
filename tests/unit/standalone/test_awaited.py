# SPDX-License-Identifier: Apache-2.0
"""Connections whose request does not come are closed, the oldest first."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
from collections.abc import Iterator

import pytest

from s3gateway.standalone import awaited
from s3gateway.standalone.awaited import Awaited
from tests.support.clock import Clock


@dataclasses.dataclass(eq=False)
class Connection:
    """As gunicorn has it, and the client's end."""

    sock: socket.socket
    client: socket.socket

    @property
    def is_open(self) -> bool:
        self.client.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            return bool(self.client.recv(1))
        return True


class Ground:
    """A worker of eight threads, of which two may wait for long."""

    def __init__(self, stack: contextlib.ExitStack, clock: Clock) -> None:
        self.clock = clock
        self.awaited = Awaited(8, patience=30, hurry=6)
        self._stack = stack

    def waits(self) -> Connection:
        ours, theirs = socket.socketpair()
        self._stack.enter_context(ours)
        self._stack.enter_context(theirs)
        connection = Connection(ours, theirs)
        self._stack.enter_context(self.awaited.waiting(connection))
        return connection


@pytest.fixture
def ground(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    clock = Clock()
    monkeypatch.setattr(awaited, "time", clock)
    with contextlib.ExitStack() as stack:
        yield Ground(stack, clock)


def test_few_are_waited_for_long(ground: Ground) -> None:
    first, second = ground.waits(), ground.waits()
    ground.clock.now += 29
    assert ground.awaited.close_late() == 0
    assert first.is_open
    ground.awaited.came(second)
    ground.clock.now += 2
    assert ground.awaited.close_late() == 1
    assert (first.is_open, second.is_open) == (False, True)


def test_of_many_the_oldest_are_closed_soon(ground: Ground) -> None:
    old = [ground.waits() for _ in range(5)]
    ground.clock.now += 5
    assert ground.awaited.close_late() == 0
    new = ground.waits()
    ground.clock.now += 2
    assert ground.awaited.close_late() == 4
    assert [each.is_open for each in old] == [False] * 4 + [True]
    assert new.is_open


def test_a_socket_that_is_closed_already_is_no_error(ground: Ground) -> None:
    waiting = ground.waits()
    waiting.sock.close()
    ground.clock.now += 31
    assert ground.awaited.close_late() == 1

# SPDX-License-Identifier: Apache-2.0
"""The trial of conditional PUTs remembers certain results only."""

from __future__ import annotations

import dataclasses
import itertools
import threading
import time
from collections.abc import Callable
from concurrent import futures
from typing import Any

import pytest

from s3gateway.errors import ObjectExists
from s3gateway.errors import StoreDenied
from s3gateway.errors import StoreError
from s3gateway.errors import StoreUnavailable
from s3gateway.errors import WriteConflict
from s3gateway.s3 import conditional
from s3gateway.s3.bucket import Bucket
from s3gateway.s3.conditional import ConditionalPut
from s3gateway.s3.conditional import Knowledge
from tests.support.s3.memory import store_settings
from tests.support.s3.stores import TRANSFER

ALL = list(ConditionalPut)
STRAY = [
    StoreError("Store fast answered 400 BadRequest"),
    WriteConflict("Store fast answered 409 ConditionalRequestConflict"),
    StoreUnavailable("Store fast answered 503 SlowDown"),
]
#: The PUT of the object that is there, the first conditional one, and one of a race.
PLACES = [1, 2, 5]


class Server(Bucket):
    """A bucket of a server that decides between writers, checks, or ignores.

    :ivar before: called with the number of each PUT, from 1; raises what goes wrong
    :ivar in_turn: up to this one, PUTs come one after the other, by chance
    """

    def __init__(self, kind: ConditionalPut) -> None:
        super().__init__(store_settings(), TRANSFER)
        self.keys: set[str] = set()
        self.puts = 0
        self.in_turn = 0
        self.before: Callable[[int], None] = lambda number: None
        self._kind = kind
        self._lock = threading.Lock()
        self._all_have_looked = threading.Barrier(8)

    def put(self, key: str, *data: Any, condition: Any = None, **how: Any) -> str:
        with self._lock:
            self.puts += 1
            number = self.puts
        self.before(number)
        with self._lock:
            conditional = condition and self._kind is not ConditionalPut.IGNORED
            if conditional and key in self.keys:
                raise ObjectExists("Store fast answered 412 PreconditionFailed")
            decided = number <= self.in_turn or self._kind is not ConditionalPut.CHECKS
            if not condition or decided:
                self.keys.add(key)
                return ""
        self._all_have_looked.wait(timeout=60)
        self.keys.add(key)
        return ""

    def delete(self, key: str, retry_time: float = 0.0) -> None:
        self.keys.discard(key)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conditional, "_PAUSE", 0.0)


def once(number: int, error: StoreError) -> Callable[[int], None]:
    def before(count: int) -> None:
        if count == number:
            raise error

    return before


def always(error: StoreError, after: int = 0) -> Callable[[int], None]:
    def before(count: int) -> None:
        if count > after:
            raise error

    return before


@pytest.mark.parametrize("kind", ALL)
def test_what_a_server_does_is_found_out_once(kind: ConditionalPut) -> None:
    server = Server(kind)
    known = Knowledge(server)
    assert known.conditional_put() is kind
    asked = server.puts
    assert known.conditional_put() is kind
    assert server.puts == asked
    assert server.keys == set()


@pytest.mark.parametrize("number", PLACES)
@pytest.mark.parametrize("error", STRAY, ids=lambda error: str(error)[21:24])
@pytest.mark.parametrize("kind", [ConditionalPut.DECIDES, ConditionalPut.IGNORED])
def test_one_accident_changes_nothing_for_good(
    kind: ConditionalPut,
    error: StoreError,
    number: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = Server(kind)
    server.before = once(number, error)
    known = Knowledge(server)
    found = known.conditional_put()
    assert found in (
        kind,
        ConditionalPut.CHECKS,
    )  # the latter as long as it is not known
    assert server.keys == set()
    monkeypatch.setattr(known, "_not_before", 0.0)  # a minute later
    assert known.conditional_put() is kind
    assert server.keys == set()


@pytest.mark.parametrize("error", STRAY, ids=lambda error: str(error)[21:24])
def test_what_is_not_certain_is_asked_for_later(
    error: StoreError, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(ConditionalPut.DECIDES)
    server.before = always(error, after=2)
    known = Knowledge(server)
    assert known.conditional_put() is ConditionalPut.CHECKS
    asked = server.puts
    assert known.conditional_put() is ConditionalPut.CHECKS
    assert server.puts == asked  # not yet
    server.before = lambda number: None
    monkeypatch.setattr(known, "_not_before", 0.0)
    assert known.conditional_put() is ConditionalPut.DECIDES
    assert server.keys == set()


def test_a_server_that_never_takes_the_header_ignores_it() -> None:
    server = Server(ConditionalPut.DECIDES)
    server.before = always(
        StoreError("Store fast answered 501 NotImplemented"), after=1
    )
    assert Knowledge(server).conditional_put() is ConditionalPut.IGNORED


def test_one_of_which_one_writer_wins_by_chance_does_not_decide() -> None:
    server = Server(ConditionalPut.CHECKS)
    server.in_turn = 2 + 3 * 8  # two PUTs before the races, and three races
    assert Knowledge(server).conditional_put() is ConditionalPut.CHECKS
    assert server.puts == server.in_turn + 8


@pytest.mark.parametrize(
    "error", [STRAY[2], StoreDenied("Store fast answered 403 AccessDenied")]
)
def test_a_store_that_is_down_is_said_to_be(error: StoreError) -> None:
    server = Server(ConditionalPut.DECIDES)
    server.transfer = dataclasses.replace(server.transfer, retry_time=0.0)
    server.before = always(error)
    known = Knowledge(server)
    with pytest.raises(type(error)):
        known.conditional_put()
    server.before = lambda number: None
    assert known.conditional_put() is ConditionalPut.DECIDES  # at once


class Held:
    """What a server answers once it is let, and not before.

    :ivar asked: set when it was asked
    """

    def __init__(self, error: BaseException) -> None:
        self.asked = threading.Event()
        self._let = threading.Event()
        self._error = error

    def __call__(self, number: int) -> None:
        self.asked.set()
        assert self._let.wait(60)
        raise self._error

    def until(self, known: Knowledge, count: int) -> None:
        """Answer when so many more wait for the trial that runs."""
        assert known._trial is not None
        waiting = known._trial._condition._waiters  # type: ignore[attr-defined]
        deadline = time.monotonic() + 60
        while len(waiting) < count:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        self._let.set()


@pytest.mark.parametrize(
    ("error", "shared"), [(STRAY[2], StoreUnavailable), (SystemExit(), StoreError)]
)
def test_no_caller_waits_behind_another_that_waits(
    error: BaseException, shared: type[StoreError]
) -> None:
    """Six uploads to a store that is down share the time that one of them takes.

    What ends the one thread only is an error of the store to the others.
    """
    server = Server(ConditionalPut.DECIDES)
    server.transfer = dataclasses.replace(server.transfer, retry_time=0.0)
    held = server.before = Held(error)
    known = Knowledge(server)
    with futures.ThreadPoolExecutor(6) as pool:
        first = pool.submit(known.conditional_put)
        assert held.asked.wait(60)
        others = [pool.submit(known.conditional_put) for _ in range(5)]
        held.until(known, 5)
        assert first.exception(60) is error
        assert {type(each.exception(60)) for each in others} == {shared}
    assert server.puts == 1


def test_threads_that_cannot_be_started_are_no_reason_to_hang(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = Server(ConditionalPut.DECIDES)
    known = Knowledge(server)
    start, count = threading.Thread.start, itertools.count()

    def few(thread: threading.Thread) -> None:
        if next(count) >= 3:
            raise RuntimeError("can't start new thread")
        start(thread)

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", few)
        assert known.conditional_put() is ConditionalPut.CHECKS
    monkeypatch.setattr(known, "_not_before", 0.0)
    assert known.conditional_put() is ConditionalPut.DECIDES

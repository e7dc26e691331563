# SPDX-License-Identifier: Apache-2.0
"""Bodies of answers are complete, or fail and keep failing after any error."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3gateway.errors import GatewayError
from s3gateway.errors import StoreUnavailable
from s3gateway.http import servers
from s3gateway.http.answer_body import AnswerBody

DATA = bytes(range(200))


class GreenletExit(BaseException):
    """As gevent's and eventlet's, no ``Exception``."""


FAILURES: list[BaseException] = [
    StoreUnavailable("Store fast broke off"),
    RuntimeError("can't start new thread"),
    MemoryError(),
    OSError(24, "Too many open files"),
    StopIteration(),
    GeneratorExit(),
    KeyboardInterrupt(),
    SystemExit(1),
    GreenletExit(),
]


def name(failure: BaseException) -> str:
    return type(failure).__name__


class Scripted:
    """A source that gives what it is told to, and goes on behind what it raises."""

    def __init__(self, *steps: bytes | BaseException) -> None:
        self.ends: list[BaseException | None] = []
        self.reads = 0
        self._steps = list(steps)

    def read(self) -> bytes:
        self.reads += 1
        step = self._steps.pop(0) if self._steps else b""
        if isinstance(step, BaseException):
            raise step
        return step

    def end(self, failure: BaseException | None) -> None:
        self.ends.append(failure)


def as_glances_cache(body: Iterable[bytes]) -> Iterator[bytes]:
    """Hand out a body as Glance's cache filter does: it goes on behind an exception."""
    try:
        yield from body
    except Exception:  # noqa: BLE001  as there
        yield from body


def taken(body: AnswerBody, tries: int) -> tuple[bytes, int, bool]:
    """Return what came before the first failure, of how many, and if it ended.

    The reader goes on after each failure.
    """
    found, failures = b"", 0
    for _ in range(tries):
        try:
            data = next(body)
        except StopIteration:
            return found, failures, True
        except BaseException:  # noqa: BLE001  it goes on behind whatever it was
            failures += 1
            continue
        assert not failures, "bytes from behind a hole"
        found += data
    return found, failures, False


def test_a_whole_body() -> None:
    source = Scripted(DATA[:50], DATA[50:])
    body = AnswerBody(source, len(DATA))
    assert b"".join(body) == DATA
    assert list(body) == []
    body.close()
    body.close()
    assert source.ends == [None]
    assert source.reads == 2


def test_a_body_whose_length_only_its_end_tells() -> None:
    source = Scripted(DATA, b"")
    body = AnswerBody(source, None)
    assert b"".join(body) == DATA
    assert list(body) == []
    body.close()
    assert source.ends == [None]


@pytest.mark.parametrize("length", [len(DATA), None], ids=["length", "unknown"])
@pytest.mark.parametrize("failure", FAILURES, ids=name)
def test_a_body_that_failed_keeps_failing(
    failure: BaseException, length: int | None
) -> None:
    source = Scripted(DATA[:50], failure, DATA[50:], b"")
    body = AnswerBody(source, length)
    assert taken(body, 10) == (DATA[:50], 9, False)
    assert source.reads == 2
    body.close()
    body.close()
    assert len(source.ends) == 1
    assert source.ends != [None]


def test_the_same_is_told_again() -> None:
    body = AnswerBody(Scripted(StoreUnavailable("Store fast broke off")), 1)
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match="Store fast broke off"):
            next(body)


def test_an_exit_is_for_its_first_reader_alone() -> None:
    body = AnswerBody(Scripted(SystemExit(1)), 1)
    with pytest.raises(SystemExit):
        next(body)
    with pytest.raises(GatewayError, match="broke off before its end"):
        next(body)


@pytest.mark.parametrize("failure", FAILURES[:4], ids=name)
def test_glances_cache_gets_no_clean_end(failure: BaseException) -> None:
    body = AnswerBody(Scripted(DATA[:50], failure, DATA[50:]), len(DATA))
    received: list[bytes] = []
    with pytest.raises(type(failure)):
        received.extend(as_glances_cache(body))
    assert b"".join(received) == DATA[:50]


def test_an_empty_read_before_the_end_is_a_broken_one() -> None:
    source = Scripted(DATA[:50], b"", DATA[50:])
    assert taken(AnswerBody(source, len(DATA)), 5) == (DATA[:50], 4, False)


def test_more_than_was_announced_is_broken() -> None:
    source = Scripted(DATA[:50], DATA[50:] + b"!")
    assert taken(AnswerBody(source, len(DATA)), 5) == (DATA[:50], 4, False)


def test_a_body_that_was_closed_does_not_end_cleanly() -> None:
    source = Scripted(DATA[:50], DATA[50:])
    body = AnswerBody(source, len(DATA))
    next(body)
    body.close()
    assert taken(body, 3) == (b"", 3, False)
    assert source.ends == [None]


def test_an_exception_does_not_grow() -> None:
    """Its traceback would with each raise, for as long as somebody goes on."""
    body = AnswerBody(Scripted(OSError()), 1)
    depths = set()
    for _ in range(50):
        try:
            next(body)
        except OSError as error:
            depth, traceback = 0, error.__traceback__
            while traceback is not None:
                depth, traceback = depth + 1, traceback.tb_next
            depths.add(depth)
    assert max(depths) < 10


@given(
    pieces=st.lists(st.binary(max_size=5), max_size=8),
    failing=st.sampled_from([None, *FAILURES]),
    at=st.integers(0, 8),
    length=st.none() | st.integers(0, 40),
)
def test_whole_or_failing(
    pieces: list[bytes], failing: BaseException | None, at: int, length: int | None
) -> None:
    """Whatever comes from the source, and whatever the reader does after it."""
    steps: list[bytes | BaseException] = [*pieces]
    if failing is not None:
        steps.insert(at, failing)
    found, _, ended = taken(AnswerBody(Scripted(*steps), length), 20)
    promised = b"".join(pieces)
    assert promised.startswith(found)
    if ended and length is not None:
        assert len(found) == length


class Uwsgi:
    """Of uWSGI's module: which connection the request is on."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def connection_fd(self) -> int:
        return self._fd


def test_the_server_is_told_to_break_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """uWSGI would end the connection as if the body were whole."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
    with client, server:
        monkeypatch.setattr(servers, "uwsgi", Uwsgi(server.fileno()))
        body = AnswerBody(Scripted(DATA[:50], MemoryError()), len(DATA))
        server.sendall(next(body))
        with pytest.raises(MemoryError):
            next(body)
        server.close()
        client.settimeout(10)
        with pytest.raises(ConnectionResetError):
            list(iter(lambda: client.recv(100), b""))


def test_all_is_let_go_of_when_the_server_cannot_be_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Broken:
        def connection_fd(self) -> int:
            raise RuntimeError("no request")

    monkeypatch.setattr(servers, "uwsgi", Broken())
    source = Scripted(DATA[:50], StoreUnavailable("away"))
    assert taken(AnswerBody(source, len(DATA)), 4) == (DATA[:50], 3, False)
    assert len(source.ends) == 1


def test_a_body_that_is_dropped_is_closed() -> None:
    """Glance's cache filter forgets to, when the client is gone."""
    source = Scripted(DATA[:50], DATA[50:])
    body = (data for data in AnswerBody(source, len(DATA)))
    assert next(body) == DATA[:50]
    body.close()
    deadline = time.monotonic() + 20
    while not source.ends:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert source.ends == [None]


def test_a_body_that_has_ended_is_closed_once() -> None:
    source = Scripted(DATA)
    before = set(threading.enumerate())
    assert list(AnswerBody(source, len(DATA))) == [DATA]
    assert set(threading.enumerate()) <= before
    assert source.ends == [None]

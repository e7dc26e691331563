# SPDX-License-Identifier: Apache-2.0
"""Requests and answers on their way through a fault proxy."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from tests.support.faults.fault import Answered
from tests.support.faults.fault import Fault
from tests.support.faults.fault import Request
from tests.support.faults.wire import Broken
from tests.support.faults.wire import Head
from tests.support.faults.wire import Wire


class Exchanges:
    """A client's connection and the one to the server that belongs to it.

    :param connect: makes a connection to the server
    :param faults: returns a request with the faults that happen to it
    :param over: called when no more of a request or its answer is passed on
    """

    def __init__(
        self,
        client: Wire,
        connect: Callable[[], Wire],
        faults: Callable[[Head], tuple[Request, list[Fault]]],
        over: Callable[[Request], None],
    ) -> None:
        self._client = client
        self._connect = connect
        self._faults = faults
        self._over = over
        self._server: Wire | None = None

    def one(self) -> bool:
        """Pass on a request and its answer; whether there may be another one."""
        head = self._client.head()
        if head is None:
            return False
        request, faults = self._faults(head)
        try:
            for fault in faults:
                fault.before(request)
            answer = self._ask(head, request, faults)
            for fault in faults:
                answer = fault.answered(request, answer, self._drain(request, answer))
            self._answer(answer, request, faults)
        except Answered as answered:
            self._give(answered, head)
            return False
        finally:
            self._over(request)
        return not (head.closes or answer.closes)

    def _ask(self, head: Head, request: Request, faults: list[Fault]) -> Head:
        """Pass on a request; return the head of the answer."""
        server = self._connected()
        server.send(head.raw)
        if head.headers.get("expect", "").lower() == "100-continue":
            answer = server.head()
            if answer is None or answer.start[1] != "100":
                return answer or self._gone()
            self._client.send(answer.raw)
        at = 0
        for is_data, data in self._client.body(head, until_close=False):
            for fault in faults if is_data else ():
                data = fault.request_bytes(request, at, data)  # noqa: PLW2901
            at += len(data) if is_data else 0
            # A server that has seen enough answers and closes.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                server.send(data)
        while (answer := server.head()) and answer.start[1] == "100":
            pass
        return answer or self._gone()

    def _answer(self, answer: Head, request: Request, faults: list[Fault]) -> None:
        self._client.send(answer.raw)
        at = 0
        if _has_body(request.method, answer):
            for is_data, data in self._the_server().body(answer, until_close=True):
                for fault in faults if is_data else ():
                    data = fault.answer_bytes(request, at, data, self._client.send)  # noqa: PLW2901
                at += len(data) if is_data else 0
                self._client.send(data)
        for fault in faults:
            fault.ended(request, at)

    def _drain(self, request: Request, answer: Head) -> Callable[[], bytes]:
        """Return what waits until the server is done with a request."""

        def drain() -> bytes:
            if not _has_body(request.method, answer):
                return b""
            body = self._the_server().body(answer, until_close=True)
            return b"".join(data for _, data in body)

        return drain

    def _give(self, answered: Answered, head: Head) -> None:
        """Answer in place of the server, when the request is in."""
        if not answered.passed_on and "expect" not in head.headers:
            for _ in self._client.body(head, until_close=False):
                pass
        self._client.send(answered.raw)

    def _the_server(self) -> Wire:
        assert self._server is not None
        return self._server

    def _connected(self) -> Wire:
        """Return the connection for a new request."""
        if self._server is not None and self._server.has_ended():
            self._server = None
        if self._server is None:
            self._server = self._connect()
        return self._server

    def _gone(self) -> Head:
        raise Broken


def _has_body(method: str, answer: Head) -> bool:
    return method != "HEAD" and answer.start[1] not in ("204", "304")

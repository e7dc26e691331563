# SPDX-License-Identifier: Apache-2.0
"""A proxy between the gateway and S3 in which things go wrong on command.

A store is configured with the proxy's ``endpoint`` in place of the server's; the
bytes pass untouched, so signatures stay valid::

    with FaultProxy(s3.endpoint) as proxy:
        fault = proxy.add(ResetAfter(), method="PUT", query="partNumber", nth=2)
        ...
        assert fault.events

The faults are in ``faults.py``.  Each tells in ``events`` when, where and to which
request it has happened; one that never happened has proven nothing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import re
import socket
import ssl
import threading
from collections.abc import Callable
from typing import TypeVar
from urllib import parse

from tests.support.faults.exchanges import Exchanges
from tests.support.faults.fault import Close
from tests.support.faults.fault import Event
from tests.support.faults.fault import Fault
from tests.support.faults.fault import Request
from tests.support.faults.fault import Reset
from tests.support.faults.wire import Broken
from tests.support.faults.wire import Head
from tests.support.faults.wire import Wire

F = TypeVar("F", bound=Fault)

__all__ = ["Event", "Fault", "FaultProxy", "Request"]


@dataclasses.dataclass
class _Rule:
    """To which requests a fault happens; what is empty or ``None`` fits all."""

    fault: Fault
    method: str
    key: str
    query: str
    nth: int
    times: int | None
    seen: int = 0
    due: list[Request] = dataclasses.field(default_factory=list)

    def applies(self, request: Request) -> bool:
        if not (
            self.method in ("", request.method)
            and re.search(self.key, request.path)
            and re.search(self.query, request.query)
        ):
            return False
        if not self._repeats(request):
            self.seen += 1
            last = None if self.times is None else self.nth + self.times
            if self.seen < self.nth or (last is not None and self.seen >= last):
                return False
        self.due.append(request)
        return True

    def _repeats(self, request: Request) -> bool:
        """Whether the client gave up on the same before its fault could happen."""
        same = [earlier for earlier in self.due if _alike(earlier, request)]
        hit = [event.request for event in self.fault.events]
        return bool(same) and not any(_alike(request, other) for other in hit)


def _alike(one: Request, other: Request) -> bool:
    return (
        one.method == other.method
        and one.path == other.path
        and one.query == other.query
        and one.headers.get("range") == other.headers.get("range")
    )


class FaultProxy:
    """Listens on 127.0.0.1 and passes requests on to an S3 server.

    :ivar requests: all requests so far, in the order in which they came
    :ivar target: the host and port that they are passed on to; may be changed
    :param endpoint: the server's URL; its scheme is ``http``
    :param tls: what the proxy speaks TLS with, if it does
    """

    def __init__(self, endpoint: str, tls: ssl.SSLContext | None = None) -> None:
        parts = parse.urlsplit(endpoint)
        self.target = (parts.hostname or "", parts.port or 80)
        self.requests: list[Request] = []
        self._numbers = itertools.count(1)
        self._tls = tls
        self._rules: list[_Rule] = []
        self._lock = threading.Lock()
        self._under_way: set[int] = set()
        self._one_is_over = threading.Condition(self._lock)
        self._wires: set[Wire] = set()
        self._threads: list[threading.Thread] = []
        self._listener = _listen(0)
        self.port: int = self._listener.getsockname()[1]
        self._accepting = self._start(self._accept, self._listener)

    @property
    def endpoint(self) -> str:
        """The URL to configure in place of the server's."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def add(
        self,
        fault: F,
        *,
        method: str = "",
        key: str = "",
        query: str = "",
        nth: int = 1,
        times: int | None = 1,
    ) -> F:
        """Let a fault happen to requests; several may happen to one.

        :param method: ``PUT`` and so on
        :param key: found, as a regular expression, in the unquoted path
        :param query: found, as a regular expression, in the query string
        :param nth: the first of the fitting requests that it happens to; they
            are counted from 1 and from now on
        :param times: how many requests it happens to, ``None`` for all
        """
        with self._lock:
            self._rules.append(_Rule(fault, method, key, query, nth, times))
        return fault

    def clear(self) -> None:
        """Let no more faults happen, and go on with what is held."""
        with self._lock:
            rules, self._rules = self._rules, []
        for rule in rules:
            rule.fault.release()

    def settle(self) -> None:
        """Wait until the server has had, or will never have, what came in so far."""
        with self._one_is_over:
            so_far = set(self._under_way)
            assert self._one_is_over.wait_for(
                lambda: not so_far & self._under_way, timeout=60
            )

    def forget(self) -> None:
        """Keep no more of what came in so far."""
        with self._lock:
            self.requests.clear()

    def down(self) -> None:
        """Refuse connections and reset the ones there are."""
        if self._listener.fileno() >= 0:
            # A thread in accept() holds the port until it is woken.
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._accepting.join()
        with self._lock:
            wires = list(self._wires)
        for wire in wires:
            wire.wake()

    def up(self) -> None:
        """Listen again, on the same port."""
        self._listener = _listen(self.port)
        self._accepting = self._start(self._accept, self._listener)

    def __enter__(self) -> FaultProxy:
        return self

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            rules, self._rules = self._rules, []
        for rule in rules:
            rule.fault.drop()
        self.down()
        for thread in self._threads:
            thread.join(30)

    def _start(self, call: Callable[..., None], *arguments: object) -> threading.Thread:
        thread = threading.Thread(target=call, args=arguments, daemon=True)
        with self._lock:
            self._threads = [old for old in self._threads if old.is_alive()]
            self._threads.append(thread)
        thread.start()
        return thread

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            self._start(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        """Pass on one connection's requests until it ends."""
        with contextlib.ExitStack() as stack:
            stack.callback(sock.close)
            try:
                if self._tls:
                    sock = self._tls.wrap_socket(sock, server_side=True)
            except OSError:
                return
            client = Wire(sock)
            self._keep(client, stack)
            exchanges = Exchanges(
                client, lambda: self._connect(stack), self._faults, self._over
            )
            try:
                while exchanges.one():
                    pass
            except (Broken, OSError, Reset):
                client.reset()
            except Close:
                client.close()

    def _connect(self, stack: contextlib.ExitStack) -> Wire:
        wire = Wire(socket.create_connection(self.target, 120))
        self._keep(wire, stack)
        return wire

    def _keep(self, wire: Wire, stack: contextlib.ExitStack) -> None:
        """Have a connection reset by ``down``, and closed in the end."""
        with self._lock:
            self._wires.add(wire)
        stack.callback(self._forget, wire)

    def _forget(self, wire: Wire) -> None:
        with self._lock:
            self._wires.discard(wire)
        wire.close()

    def _faults(self, head: Head) -> tuple[Request, list[Fault]]:
        method, target, _ = head.start
        path, _, query = target.partition("?")
        with self._lock:
            request = Request(
                number=next(self._numbers),
                method=method,
                path=parse.unquote(path),
                query=query,
                headers=head.headers,
            )
            self.requests.append(request)
            self._under_way.add(request.number)
            rules = [rule for rule in self._rules if rule.applies(request)]
        return request, [rule.fault for rule in rules]

    def _over(self, request: Request) -> None:
        with self._one_is_over:
            self._under_way.discard(request.number)
            self._one_is_over.notify_all()


def _listen(port: int) -> socket.socket:
    return socket.create_server(("127.0.0.1", port), backlog=128)

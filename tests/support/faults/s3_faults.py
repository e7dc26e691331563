# SPDX-License-Identifier: Apache-2.0
"""Faults between the gateway and S3; ``faultproxy.py`` injects them.

One fault object may happen to many requests and connections; then all of them
share its rate, its ``release`` and its ``events``.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable

from tests.support.faults.fault import Answered
from tests.support.faults.fault import Close
from tests.support.faults.fault import Fault
from tests.support.faults.fault import Request
from tests.support.faults.fault import Reset
from tests.support.faults.wire import Head
from tests.support.faults.wronganswers import Answer
from tests.support.faults.wronganswers import ChangedHead
from tests.support.faults.wronganswers import RangeIgnored
from tests.support.faults.wronganswers import SlowDown
from tests.support.faults.wronganswers import WrongRange

__all__ = [
    "Answer",
    "ChangedHead",
    "Corrupt",
    "Delay",
    "RangeIgnored",
    "Rate",
    "ResetAfter",
    "ResetBefore",
    "ResetWithin",
    "SlowClose",
    "SlowDown",
    "Stall",
    "Truncate",
    "WrongRange",
]


class Delay(Fault):
    """Every request takes so many seconds longer."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    def before(self, request: Request) -> None:
        self.happens(request)
        time.sleep(self.seconds)


class Meter(Fault):
    """No fault: counts the bytes of answers.

    :ivar count: how many have passed
    :ivar last: when the last ones did
    """

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.last = 0.0
        self._lock = threading.Lock()

    def answer_bytes(
        self, request: Request, at: int, data: bytes, send: Callable[[bytes], None]
    ) -> bytes:
        with self._lock:
            self.count += len(data)
            self.last = time.monotonic()
        return data


class Rate(Fault):
    """Bodies, both ways, pass no faster than so many bytes per second, in total.

    :param each: whether every request has the rate for itself
    """

    def __init__(self, bytes_per_second: float, *, each: bool = False) -> None:
        super().__init__()
        self.bytes_per_second = bytes_per_second
        self.each = each
        self._lock = threading.Lock()
        self._free: dict[int, float] = {}

    def before(self, request: Request) -> None:
        self.happens(request)

    def request_bytes(self, request: Request, at: int, data: bytes) -> bytes:
        self._wait(request, len(data))
        return data

    def answer_bytes(
        self, request: Request, at: int, data: bytes, send: Callable[[bytes], None]
    ) -> bytes:
        self._wait(request, len(data))
        return data

    def ended(self, request: Request, size: int) -> None:
        with self._lock:
            if self.each:
                self._free.pop(request.number, None)

    def _wait(self, request: Request, count: int) -> None:
        who = request.number if self.each else 0
        with self._lock:
            now = time.monotonic()
            free = max(now, self._free.get(who, now)) + count / self.bytes_per_second
            self._free[who] = free
        time.sleep(max(0.0, free - now))


class ResetBefore(Fault):
    """The connection is reset; the server never sees the request."""

    def before(self, request: Request) -> None:
        self.happens(request)
        raise Reset


class ResetWithin(Fault):
    """The connection is reset in the middle of the request's body."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def request_bytes(self, request: Request, at: int, data: bytes) -> bytes:
        if at + len(data) < self.after:
            return data
        self.happens(request, at)
        raise Reset


class ResetAfter(Fault):
    """The server does the request; the connection is reset in place of the answer."""

    def answered(
        self, request: Request, head: Head, drain: Callable[[], bytes]
    ) -> Head:
        drain()
        self.happens(request)
        raise Reset


class Stall(Fault):
    """A request is held until ``release``, which lets it go on, or ``drop``.

    :param done: whether the server has done it by then, and only the answer is held
    :param after: how many bytes of the answer have gone out by then, if not ``None``
    """

    def __init__(self, *, done: bool = False, after: int | None = None) -> None:
        super().__init__()
        self.done = done
        self.after = after
        self._released = threading.Event()
        self._dropped = False
        self._held: set[int] = set()

    def before(self, request: Request) -> None:
        if not self.done and self.after is None:
            self._hold(request)

    def answered(
        self, request: Request, head: Head, drain: Callable[[], bytes]
    ) -> Head:
        if not self.done:
            return head
        raw = head.raw + drain()
        self._hold(request)
        raise Answered(raw, passed_on=True)

    def answer_bytes(
        self, request: Request, at: int, data: bytes, send: Callable[[bytes], None]
    ) -> bytes:
        if self.after is None or at + len(data) < self.after:
            return data
        if request.number not in self._held:
            kept = max(0, self.after - at)
            send(data[:kept])
            self._held.add(request.number)
            self._hold(request, at + kept)
            return data[kept:]
        return data

    def release(self) -> None:
        self._released.set()

    def drop(self) -> None:
        self._dropped = True
        self._released.set()

    def _hold(self, request: Request, at: int = 0) -> None:
        self.happens(request, at)
        self._released.wait()
        if self._dropped:
            raise Reset


class Truncate(Fault):
    """An answer ends after so many bytes of its body.

    :param reset: whether with a reset in place of a clean close
    """

    def __init__(self, after: int, *, reset: bool = False) -> None:
        super().__init__()
        self.after = after
        self.reset = reset

    def answer_bytes(
        self, request: Request, at: int, data: bytes, send: Callable[[bytes], None]
    ) -> bytes:
        if at + len(data) <= self.after:
            return data
        send(data[: self.after - at])
        self.happens(request, self.after)
        raise Reset if self.reset else Close


class Corrupt(Fault):
    """One bit of a body is another one.

    :param at: in which byte
    :param upwards: whether of the request's body; of the answer's otherwise
    """

    def __init__(self, at: int, *, upwards: bool = False) -> None:
        super().__init__()
        self.at = at
        self.upwards = upwards

    def request_bytes(self, request: Request, at: int, data: bytes) -> bytes:
        return self._flip(request, at, data) if self.upwards else data

    def answer_bytes(
        self, request: Request, at: int, data: bytes, send: Callable[[bytes], None]
    ) -> bytes:
        return data if self.upwards else self._flip(request, at, data)

    def _flip(self, request: Request, at: int, data: bytes) -> bytes:
        if not at <= self.at < at + len(data):
            return data
        self.happens(request, self.at)
        changed = bytearray(data)
        changed[self.at - at] ^= 1
        return bytes(changed)


class SlowClose(Fault):
    """The connection ends with the answer, but so many seconds after it."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    def answered(
        self, request: Request, head: Head, drain: Callable[[], bytes]
    ) -> Head:
        self.happens(request)
        raw = re.sub(rb"(?im)^(connection|keep-alive):.*\r\n", b"", head.raw)
        return Head(raw.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))

    def ended(self, request: Request, size: int) -> None:
        time.sleep(self.seconds)
        raise Close

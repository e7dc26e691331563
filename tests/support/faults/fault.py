# SPDX-License-Identifier: Apache-2.0
"""The interface of a fault: the points of a request and its answer where it acts."""

from __future__ import annotations

import dataclasses
import re
import threading
from collections.abc import Callable
from collections.abc import Mapping

from tests.support.faults.wire import Head


class Reset(Exception):
    """The client's connection is to be reset."""


class Close(Exception):
    """The client's connection is to be closed."""


class Answered(Exception):
    """The client is to be answered with this.

    :param passed_on: whether the server has had the request
    """

    def __init__(self, raw: bytes, *, passed_on: bool) -> None:
        super().__init__(raw[:40])
        self.raw = raw
        self.passed_on = passed_on


@dataclasses.dataclass(frozen=True)
class Request:
    """A request that came by.

    :ivar number: counts the proxy's requests, from 1
    :ivar path: bucket and key, unquoted
    """

    number: int
    method: str
    path: str
    query: str
    headers: Mapping[str, str] = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True)
class Event:
    """A fault that happened.

    :ivar at: after how many bytes of the body
    """

    fault: str
    request: Request
    at: int = 0

    def __str__(self) -> str:
        request = self.request
        query = re.sub(r"(?i)(uploadId|signature)=[^&]*", r"\1=...", request.query)
        return (
            f"{self.fault} at byte {self.at} of request {request.number}: "
            f"{request.method} {request.path}{'?' if query else ''}{query}"
        )


class Fault:
    """A fault that does nothing.

    :ivar events: when it happened
    :ivar reached: set when it first happens
    """

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.reached = threading.Event()

    def before(self, request: Request) -> None:
        """Called before anything of a request is passed on."""

    def request_bytes(self, request: Request, at: int, data: bytes) -> bytes:
        """Return what is passed on of a body's bytes, which begin at ``at``."""
        return data

    def answered(
        self, request: Request, head: Head, drain: Callable[[], bytes]
    ) -> Head:
        """Return what is passed on of the head of an answer.

        :param drain: waits for all of the answer and returns its body as it came
        """
        return head

    def answer_bytes(
        self, request: Request, at: int, data: bytes, send: Callable[[bytes], None]
    ) -> bytes:
        """Return what is passed on of the bytes of an answer.

        :param send: sends bytes at once, before an exception is raised
        """
        return data

    def ended(self, request: Request, size: int) -> None:
        """Called after all of an answer was passed on."""

    def release(self) -> None:
        """Go on with whatever is held."""

    def drop(self) -> None:
        """Reset whatever is held."""

    def happens(self, request: Request, at: int = 0) -> None:
        """Record that it happens now."""
        self.events.append(Event(repr(self), request, at))
        self.reached.set()

    def __repr__(self) -> str:
        hidden = ("events", "reached")
        told = [
            f"{name}={value!r}"
            for name, value in vars(self).items()
            if name not in hidden and not name.startswith("_")
        ]
        return f"{type(self).__name__}({', '.join(told)})"

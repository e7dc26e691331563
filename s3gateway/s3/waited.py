# SPDX-License-Identifier: Apache-2.0
"""Calls of functions that may hang: each is waited for a limited time.

A source of credentials may run a program, or ask a service for minutes.  It does so in
a thread of its own.  If it hangs, that thread waits for it, and no request does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from collections.abc import Hashable
from concurrent import futures
from typing import Any
from typing import TypeVar
from typing import cast

T = TypeVar("T")


class Calls:
    """Calls that may hang, one at a time of each kind.

    :param longest: how long a call is waited for, in seconds
    """

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._running: dict[Hashable, _Call] = {}
        self._lock = threading.Lock()

    def is_running(self, kind: Hashable) -> bool:
        """Whether a call of this kind has not returned."""
        with self._lock:
            call = self._running.get(kind)
            return call is not None and not call.future.done()

    def result(self, kind: Hashable, function: Callable[[], T]) -> T:
        """Return what a function returns; join a call of this kind that is running.

        A call that returned too late for the one before is as good.

        :raises TimeoutError: if a call takes too long
        """
        with self._lock:
            call = self._running.get(kind)
            if call is None or call.has_failed():
                call = self._running[kind] = _Call(function, self._longest)
        try:
            return cast("T", call.result())
        finally:
            with self._lock:
                if call.future.done() and self._running.get(kind) is call:
                    del self._running[kind]


class _Call:
    """A call in a thread of its own, which does not keep the process from ending."""

    def __init__(self, function: Callable[[], object], longest: float) -> None:
        self.future: futures.Future[Any] = futures.Future()
        self._function = function
        self._until = time.monotonic() + longest
        threading.Thread(target=self._run, name="s3-waited", daemon=True).start()

    def has_failed(self) -> bool:
        return self.future.done() and self.future.exception() is not None

    def result(self) -> object:
        rest = max(0.0, self._until - time.monotonic())
        futures.wait([self.future], rest)
        if not self.future.done():
            raise TimeoutError
        return self.future.result()

    def _run(self) -> None:
        try:
            result = self._function()
        except BaseException as error:  # noqa: BLE001  raised where it is waited for
            self.future.set_exception(error)
        else:
            self.future.set_result(result)

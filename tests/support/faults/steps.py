# SPDX-License-Identifier: Apache-2.0
"""The steps of an upload in one process, and something that goes wrong at one of them.

The steps are the requests to the stores and to Glance, the notifications and the
threads.
"""

from __future__ import annotations

import dataclasses
import errno
import pathlib
import threading
from collections.abc import Callable
from typing import Any

import pytest

from s3gateway.errors import StoreUnavailable
from s3gateway.gateway import Gateway
from s3gateway.upload import claims
from tests.support.servers.inprocess import PART
from tests.support.servers.inprocess import InProcess

EXCEPTIONS: dict[str, Callable[[], BaseException]] = {
    "503": lambda: StoreUnavailable("Store fast answered 503 SlowDown"),
    "no thread": lambda: RuntimeError("can't start new thread"),
    "no file": lambda: OSError(errno.EMFILE, "Too many open files"),
    "no memory": MemoryError,
    "aborted": lambda: SystemExit(1),  # as gunicorn does it to a worker
    "interrupted": KeyboardInterrupt,
}


@dataclasses.dataclass(frozen=True)
class Step:
    """Something that an upload asks of somebody else.

    :ivar of: the store, ``glance``, ``notifier`` or ``thread``
    :ivar what: the request, the event or the thread
    :ivar nth: which of those
    :ivar done: whether it is done, and the answer is on its way
    """

    of: str
    what: str
    nth: int = 1
    done: bool = False

    def __repr__(self) -> str:
        return f"{self.of}: {self.what} {self.nth}{' done' if self.done else ''}"


class Steps:
    """Takes note of the steps of an upload, and raises something at one of them."""

    def __init__(self, world: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[Step] = []
        self.at: Step | None = None
        self.error: Callable[[], BaseException] = MemoryError
        self.raised = False
        self._lock = threading.Lock()
        for name, store in world.stores.items():
            store.before = self._of_store(name, done=False)
            store.after = self._of_store(name, done=True)
        world.glance.before = lambda method: self.passed("glance", method)
        world.glance.after = lambda method: self.passed("glance", method, done=True)
        world.notifier.before = lambda event: self.passed("notifier", event)
        start = threading.Thread.start

        def counted(thread: threading.Thread) -> None:
            if thread.name.startswith(("digest-", "s3-part")):
                self.passed("thread", thread.name.partition("_")[0])
            start(thread)

        monkeypatch.setattr(threading.Thread, "start", counted)

    def _of_store(self, name: str, *, done: bool) -> Any:
        def passed(request: str, key: str) -> None:
            kind = "claim" if key.startswith(claims.PREFIX) else "object"
            self.passed(name, f"{request} {kind}", done=done)

        return passed

    def passed(self, of: str, what: str, *, done: bool = False) -> None:
        """Take note of a step, and raise if it is the one."""
        with self._lock:
            same = [
                step
                for step in self.seen
                if (step.of, step.what, step.done) == (of, what, done)
            ]
            step = Step(of, what, len(same) + 1, done)
            self.seen.append(step)
            if step != self.at:
                return
            self.raised = True
        raise self.error()


SIZES = {"small": 1000, "large": PART + 1000}  # one PUT, and two parts


class Attempted:
    """An upload in its own world, with a fault at one of its steps.

    :ivar outcome: the status of the answer, or what was raised
    """

    def __init__(
        self, directory: pathlib.Path, monkeypatch: pytest.MonkeyPatch, size: str
    ) -> None:
        self.world = InProcess(directory, monkeypatch)
        self.gateway = self._gateway()
        self.image_id = self.world.glance.create()
        self.data = bytes(range(250)) * (SIZES[size] // 250 + 1)
        self.steps = Steps(self.world, monkeypatch)
        self.outcome: int | BaseException = 0

    def _gateway(self) -> Gateway:
        return self.world.gateway()

    @property
    def status(self) -> str:
        """The image's status."""
        return str(self.world.glance.images[self.image_id]["status"])

    def run(
        self, at: Step | None = None, error: Callable[[], BaseException] = MemoryError
    ) -> None:
        """Upload; something is raised at one of the steps."""
        self.steps.at, self.steps.error = at, error
        try:
            self.outcome = self.world.put(self.gateway, self.image_id, self.data)
        except (SystemExit, KeyboardInterrupt) as raised:
            self.outcome = raised
        assert self.steps.raised is (at is not None)

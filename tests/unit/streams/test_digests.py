# SPDX-License-Identifier: Apache-2.0
"""Digests whose threads fail: nobody waits for them for ever."""

from __future__ import annotations

import hashlib
import threading
from typing import Any

import pytest

from s3gateway.streams.digests import Digests


def running() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith("digest-")]


def test_they_are_what_hashlib_says() -> None:
    data = bytes(range(256))
    with Digests(["sha256", "md5", "sha256"]) as digests:
        digests.feed(memoryview(data))
        digests.feed(memoryview(data))
        assert digests.hexdigests() == {
            "sha256": hashlib.sha256(2 * data).hexdigest(),
            "md5": hashlib.md5(2 * data, usedforsecurity=False).hexdigest(),
        }


def test_where_one_thread_cannot_start_none_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start = threading.Thread.start

    def refused(thread: threading.Thread) -> None:
        if thread.name == "digest-sha512":
            raise RuntimeError("can't start new thread")
        start(thread)

    before = running()
    monkeypatch.setattr(threading.Thread, "start", refused)
    with pytest.raises(RuntimeError):
        Digests(["md5", "sha512"])
    for thread in set(running()) - set(before):
        thread.join(30)
        assert not thread.is_alive()


class OutOfMemory:
    def update(self, data: memoryview) -> None:
        raise MemoryError

    def hexdigest(self) -> str:
        return "of nothing"


def test_a_thread_that_fails_is_no_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    def new(name: str, **how: Any) -> Any:
        return OutOfMemory()

    monkeypatch.setattr(hashlib, "new", new)
    with Digests(["md5"]) as digests:
        digests.feed(memoryview(b"data"))
        digests.wait(4)
        with pytest.raises(MemoryError):
            digests.hexdigests()

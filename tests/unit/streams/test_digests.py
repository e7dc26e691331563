# SPDX-License-Identifier: Apache-2.0
"""Digests in their own threads: right, or an error, and never an endless wait."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator

import pytest

from s3gateway.errors import GatewayError
from s3gateway.errors import ObjectNotFound
from s3gateway.streams.digests import Digests
from s3gateway.streams.digests import Verification

DATA = bytes(range(256)) * 5000


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(60)
        assert not thread.is_alive(), thread


def test_several_at_once() -> None:
    with Digests(["md5", "sha256", "md5"]) as digests:
        for start in range(0, len(DATA), 100_000):
            digests.feed(memoryview(DATA)[start : start + 100_000])
        found = digests.hexdigests()
    assert found == {
        "md5": hashlib.md5(DATA, usedforsecurity=False).hexdigest(),
        "sha256": hashlib.sha256(DATA).hexdigest(),
    }


def test_of_nothing() -> None:
    with Digests(["sha256"]) as digests:
        assert digests.hexdigests() == {"sha256": hashlib.sha256().hexdigest()}


def test_a_thread_that_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that could are not left behind."""
    begin = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        if thread.name == "digest-sha256":
            raise RuntimeError("can't start new thread")
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(RuntimeError):
        Digests(["md5", "sha256"])


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_dies_is_not_waited_for() -> None:
    """And no digest is told of what it has not seen."""
    with Digests(["md5"]) as digests:
        digests.feed(memoryview(DATA))
        digests.feed("no bytes")  # type: ignore[arg-type]
        digests.wait(len(DATA) + 1)
        with pytest.raises(GatewayError, match="The md5 of the data was not computed"):
            digests.hexdigests()


def test_a_verification() -> None:
    verification = Verification(len(DATA), "sha256", hashlib.sha256(DATA).hexdigest())
    verification.feed(DATA[:10])
    verification.feed(DATA[10:])
    verification.close()
    verification.close()


def test_a_verification_that_fails() -> None:
    verification = Verification(len(DATA), "sha256", "0" * 64)
    verification.feed(DATA[:10])
    with pytest.raises(ObjectNotFound, match="The sha256 of the data is"):
        verification.feed(DATA[10:])
    verification.close()

# SPDX-License-Identifier: Apache-2.0
"""The keys that sign requests to S3, and retries after they change."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

import pytest

from s3gateway.config.keys import KeyPair
from s3gateway.config.keys import Keys
from s3gateway.errors import StoreDenied
from s3gateway.s3.connection import Access
from s3gateway.s3.connection import Connection
from tests.support.s3.memory import store_settings
from tests.support.s3.stores import TRANSFER

NEW = KeyPair("NEWACCESSKEY", "new-secret-of-20-bytes")


class Clock:
    """A clock that sleeping moves; what is ``due`` happens when its time has come."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.due: list[tuple[float, Callable[[], object]]] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for when, happen in list(self.due):
            if when <= self.now:
                self.due.remove((when, happen))
                happen()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("s3gateway.s3.connection.time", clock)
    monkeypatch.setattr("s3gateway.config.keys.time", clock)
    return clock


class Files:
    """A pair of key files, and a server that wants the new ones."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.access, self.secret = directory / "access", directory / "secret"
        self.access.write_text("OLDACCESSKEY")
        self.secret.write_text("old-secret-of-20-bytes")
        keys = Keys(KeyPair("", ""), str(self.access), str(self.secret))
        self.store = Access(store_settings(keys=keys), TRANSFER)
        self.asked = 0

    def ask(self, connection: Connection) -> str:
        self.asked += 1
        if connection.keys != NEW:
            raise StoreDenied("Store fast answered 403 SignatureDoesNotMatch")
        return "done"


@pytest.fixture
def files(tmp_path: pathlib.Path, clock: Clock) -> Files:
    return Files(tmp_path)


def test_keys_that_have_not_changed_are_not_tried_again(
    files: Files, clock: Clock
) -> None:
    clock.now += 3600
    began = clock.now
    with pytest.raises(StoreDenied):
        files.store.allowed(files.ask)
    assert files.asked == 1
    assert clock.now == began


def test_keys_that_have_changed_are_tried_at_once(files: Files, clock: Clock) -> None:
    files.store.connection  # noqa: B018  it is made with the old keys
    clock.now += 3600
    began = clock.now

    def ask(connection: Connection) -> str:
        if not files.asked:  # they are replaced while the first request is under way
            files.access.write_text(NEW.access_key)
            files.secret.write_text(NEW.secret_key)
        return files.ask(connection)

    assert files.store.allowed(ask) == "done"
    assert (files.asked, clock.now) == (2, began)


def test_the_second_of_two_files_is_waited_for(files: Files, clock: Clock) -> None:
    clock.now += 3600
    files.access.write_text(NEW.access_key)
    clock.due.append((clock.now + 1.0, lambda: files.secret.write_text(NEW.secret_key)))
    assert files.store.allowed(files.ask) == "done"


def test_but_not_for_ever(files: Files, clock: Clock) -> None:
    clock.now += 3600
    files.access.write_text(NEW.access_key)
    began = clock.now
    with pytest.raises(StoreDenied):
        files.store.allowed(files.ask)
    assert clock.now - began < 4
    clock.now += 60
    asked = files.asked
    with pytest.raises(StoreDenied):
        files.store.allowed(files.ask)
    assert files.asked == asked + 1


def test_configured_keys_are_tried_once(clock: Clock) -> None:
    store = Access(store_settings(), TRANSFER)
    asked = []

    def ask(connection: Connection) -> None:
        asked.append(connection.keys)
        raise StoreDenied("Store fast answered 403 SignatureDoesNotMatch")

    with pytest.raises(StoreDenied):
        store.allowed(ask)
    assert len(asked) == 1

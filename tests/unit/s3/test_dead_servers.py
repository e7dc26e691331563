# SPDX-License-Identifier: Apache-2.0
"""A server that refuses connections makes no request wait for long."""

from __future__ import annotations

import dataclasses
import time

import pytest

from s3gateway.errors import StoreUnavailable
from s3gateway.http.ranges import Span
from s3gateway.s3.store import S3Store
from s3gateway.streams import retries
from s3gateway.upload.claims import Attempt
from s3gateway.upload.exclusion import Claims
from tests.support.s3.memory import store_settings
from tests.support.s3.stores import TRANSFER
from tests.support.servers.processes import free_port

PATIENT = dataclasses.replace(TRANSFER, retry_time=60.0)


@pytest.fixture
def dead(monkeypatch: pytest.MonkeyPatch) -> S3Store:
    monkeypatch.setattr(retries, "_REACHING", 0.5)
    endpoint = f"http://127.0.0.1:{free_port()}"
    return S3Store(store_settings(endpoint=endpoint), PATIENT)


def test_a_claim_is_not_waited_for(dead: S3Store) -> None:
    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        Claims({"fast": dead}, 300.0).take("image", Attempt("fast", "key"))
    assert time.monotonic() - began < 10


def test_it_counts_as_down_for_a_moment(dead: S3Store) -> None:
    assert not dead.is_down
    with pytest.raises(StoreUnavailable):
        dead.read("key", Span(0, 1), size=1)
    assert dead.is_down


class Refusing:
    """A store that fails some times."""

    def __init__(self, times: int, *, reached: bool) -> None:
        self.error = StoreUnavailable("Store fast broke off")
        self.error.store_wide = not reached
        self.times = times

    def __call__(self) -> str:
        self.times -= 1
        if self.times >= 0:
            raise self.error
        return "done"


@pytest.mark.parametrize("reached", [False, True])
def test_patience_where_nothing_has_moved(
    reached: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that answers and is busy is asked for as long as ever."""
    monkeypatch.setattr(retries, "_REACHING", 0.01)
    refusing = Refusing(3, reached=reached)
    with retries.while_nothing_moved():
        if reached:
            assert retries.patiently(refusing, about="it", retry_time=60) == "done"
            return
        with pytest.raises(StoreUnavailable):
            retries.patiently(refusing, about="it", retry_time=60)
    # Bytes that have come in are worth more patience.
    assert retries.patiently(refusing, about="it", retry_time=60) == "done"

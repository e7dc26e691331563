# SPDX-License-Identifier: Apache-2.0
"""How long an unreachable store is tried: as long as it is promised, and no longer."""

from __future__ import annotations

import random
import threading
import time

import pytest

from s3gateway.errors import StoreUnavailable
from s3gateway.streams import retries


class Clock(threading.Event):
    """A clock that waiting moves on, and a store that is away for a time."""

    def __init__(self, away: float) -> None:
        super().__init__()
        self.now = 1000.0
        self.tries: list[float] = []
        self._until = self.now + away

    def monotonic(self) -> float:
        return self.now

    def wait(self, timeout: float | None = None) -> bool:
        self.now += timeout or 0
        return self.is_set()

    def ask(self) -> str:
        self.tries.append(self.now - 1000.0)
        if self.now < self._until:
            error = StoreUnavailable("away")
            error.store_wide = True
            raise error
        return "here"

    def patiently(self, retry_time: float = 60.0) -> str:
        return retries.patiently(
            self.ask,
            about="a test",
            retry_time=retry_time,
            store="fast",
            cancelled=self,
        )


@pytest.fixture(params=[0.5, 1.0], ids=["short pauses", "long pauses"])
def clock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock(away=4.9)
    monkeypatch.setattr(time, "monotonic", found.monotonic)
    monkeypatch.setattr(random, "uniform", lambda *_: request.param)
    return found


def test_the_last_try_is_at_the_end(clock: Clock) -> None:
    """A pause that is longer than what is left would have given up seconds before."""
    with retries.while_nothing_moved():
        assert clock.patiently() == "here"
    assert clock.tries[-1] == pytest.approx(5.0)


def test_a_store_that_stays_away_is_given_up(clock: Clock) -> None:
    clock._until = 2000.0
    with retries.while_nothing_moved(), pytest.raises(StoreUnavailable):
        clock.patiently()
    assert clock.tries[-1] == pytest.approx(5.0)
    assert clock.now == pytest.approx(1005.0)


def test_no_time_is_one_try(clock: Clock) -> None:
    with pytest.raises(StoreUnavailable):
        clock.patiently(0.0)
    assert clock.tries == [0.0]


def test_what_is_cancelled_is_not_tried_again(clock: Clock) -> None:
    clock.set()
    with pytest.raises(StoreUnavailable):
        clock.patiently()
    assert clock.tries == [0.0]

# SPDX-License-Identifier: Apache-2.0
"""When a store counts as down, and the gateway as ready."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from s3gateway.config.settings import HealthSettings
from s3gateway.healthcheck import Monitor
from s3gateway.healthcheck import State
from s3gateway.monitoring import metrics
from tests.support.s3.memory import MemoryStore
from tests.support.s3.memory import store_settings
from tests.support.s3.memory import unavailable

DOWN = unavailable("ping")


def settings(**changes: object) -> HealthSettings:
    values: dict[str, object] = {
        "ready_when": "any",
        "interval": 0.0,
        "timeout": 30.0,
        "fall": 3,
        "rise": 2,
    }
    return HealthSettings(**{**values, **changes})  # type: ignore[arg-type]


def stores(*names: str) -> dict[str, MemoryStore]:
    return {name: MemoryStore(store_settings(name)) for name in names}


def judged(answers: str) -> str:
    """Return the states after each answer; ``+`` is one, ``-`` is none."""
    state = State()
    found = ""
    for answer in answers:
        state.judge("" if answer == "+" else "503", fall=3, rise=2)
        found += "+" if state.up else "-"
    return found


@pytest.mark.parametrize(
    ("answers", "states"),
    [
        ("+-+--+", "++++++"),  # one SlowDown, and two, change nothing
        ("+---", "+++-"),
        ("+---+-++", "+++----+"),
        ("-", "-"),  # the first answer decides
        ("-++", "--+"),
        ("++--+--+", "++++++++"),  # failures count in a row only
    ],
)
def test_thresholds(answers: str, states: str) -> None:
    assert judged(answers) == states


def test_a_store_that_goes_down_is_told_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    found = stores("watched")
    monitor = Monitor(found, settings())
    assert monitor.states()["watched"].up
    found["watched"].before = DOWN
    ups = [monitor.states()["watched"].up for _ in range(5)]
    assert ups == [True, True, False, False, False]
    lines = [r for r in caplog.records if "watched is down" in r.getMessage()]
    assert len(lines) == 1
    shown = metrics.REGISTRY.get_sample_value(
        "s3gateway_store_up", {"store": "watched"}
    )
    assert shown == 0


@pytest.mark.parametrize(("ready_when", "ready"), [("any", True), ("all", False)])
def test_readiness(ready_when: str, ready: bool) -> None:
    found = stores("one", "other")
    found["other"].before = DOWN
    monitor = Monitor(found, settings(ready_when=ready_when))
    assert monitor.is_ready(monitor.states()) is ready
    found["one"].before = DOWN
    for _ in range(3):
        states = monitor.states()
    assert monitor.is_ready(states) is False


def test_without_stores_it_is_ready() -> None:
    monitor = Monitor({}, settings())
    assert monitor.is_ready(monitor.states())


# Ends the thread in which a monitor probes.
ENDS_BY_EXCEPTION = pytest.mark.filterwarnings(
    "ignore:Exception in thread:pytest.PytestUnhandledThreadExceptionWarning"
)


class Clock:
    """In place of ``time``; a thread that sleeps ends when the test is over."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._sleepers: set[threading.Thread] = set()

    def sleep(self, seconds: float) -> None:
        self._sleepers.add(threading.current_thread())
        if self._over.wait(seconds):
            raise SystemExit

    def stop(self) -> None:
        self._over.set()
        for sleeper in list(self._sleepers):
            sleeper.join(60)
            assert not sleeper.is_alive()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    monkeypatch.setattr("s3gateway.healthcheck.time", clock)
    yield clock
    clock.stop()


@pytest.mark.usefixtures("clock")
@ENDS_BY_EXCEPTION
def test_within_the_interval_nobody_is_asked() -> None:
    found = stores("fast")
    monitor = Monitor(found, settings(interval=3600.0))
    for _ in range(3):
        monitor.states()
    assert found["fast"].requests == ["ping"]


@pytest.mark.usefixtures("clock")
@ENDS_BY_EXCEPTION
def test_once_asked_it_looks_by_itself() -> None:
    """Many processes serve one address: each is to know what the others know."""
    found = stores("fast")
    monitor = Monitor(found, settings(interval=0.01))
    assert monitor.states()["fast"].up
    asked, down = threading.Semaphore(0), unavailable("ping")

    def before(request: str, key: str) -> None:
        asked.release()
        down(request, key)

    found["fast"].before = before
    for _ in range(5):  # the fifth begins when the fourth was judged
        assert asked.acquire(timeout=60)
    assert monitor.states()["fast"].up is False


def test_a_store_that_hangs_holds_nobody_up_and_is_asked_once() -> None:
    found = stores("hangs")
    asked, released = threading.Event(), threading.Event()

    def hang(request: str, key: str) -> None:
        asked.set()
        released.wait(60)

    found["hangs"].before = hang
    monitor = Monitor(found, settings(timeout=0.05))
    states = [monitor.states()["hangs"] for _ in range(3)]
    assert asked.wait(60)
    released.set()
    assert not any(state.up for state in states)
    assert "has not answered in time" in states[0].problem
    assert found["hangs"].requests == ["ping"]


def test_what_is_unforeseen_is_told_by_its_type_alone() -> None:
    found = stores("odd")

    def odd(request: str, key: str) -> None:
        raise ValueError("s3://key:secret@host")

    found["odd"].before = odd
    assert Monitor(found, settings()).states()["odd"].problem == "ValueError"

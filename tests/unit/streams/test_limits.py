# SPDX-License-Identifier: Apache-2.0
"""Rates hold transfers back, evenly, and never make them fail."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import pytest

from s3gateway.errors import TooManyUploads
from s3gateway.http import wsgi
from s3gateway.streams.limits import Limits
from tests.support.clock import Clock
from tests.support.s3.memory import MIB
from tests.support.s3.stores import TRANSFER


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("s3gateway.streams.limits.time", clock)
    return clock


def limits(**options: Any) -> Limits:
    return Limits(dataclasses.replace(TRANSFER, **options))


def of(project: str) -> dict[str, Any]:
    return {"REQUEST_METHOD": "PUT", "HTTP_X_PROJECT_ID": project}


def test_without_a_rate_nothing_is_done(clock: Clock) -> None:
    environ = of("acme")
    assert limits().paced(environ, "upload") is environ
    wsgi.pace_of(environ).wait_after(10 * MIB)
    assert clock.now == 1000.0


def test_all_uploads_share_a_rate(clock: Clock) -> None:
    """Half a second of it passes at once."""
    found = limits(upload_rate=4 * MIB)
    paces = [wsgi.pace_of(found.paced(of("acme"), "upload")) for _ in range(2)]
    for _ in range(10):
        for pace in paces:
            pace.wait_after(MIB)
    assert clock.now - 1000.0 == pytest.approx(20 / 4 - 0.5)
    environ = of("acme")
    assert found.paced(environ, "download") is environ


def test_a_project_has_its_own_rate(clock: Clock) -> None:
    found = limits(project_rate=4 * MIB, download_rate=6 * MIB)
    one, two = (wsgi.pace_of(found.paced(of(name), "download")) for name in "ab")
    for _ in range(8):
        one.wait_after(MIB)
    assert clock.now - 1000.0 == pytest.approx(8 / 4 - 0.5)
    began = clock.now
    two.wait_after(MIB)
    assert clock.now == began
    for _ in range(12):
        one.wait_after(MIB)
        two.wait_after(MIB)
    assert clock.now - began == pytest.approx(25 / 6, abs=0.6)


def test_a_pause_is_no_credit(clock: Clock) -> None:
    pace = wsgi.pace_of(limits(upload_rate=2 * MIB).paced(of("acme"), "upload"))
    pace.wait_after(MIB)
    clock.now += 100
    began = clock.now
    for _ in range(4):
        pace.wait_after(MIB)
    assert clock.now - began == pytest.approx(4 / 2 - 0.5)


def test_a_request_without_a_project_has_no_rate_of_one() -> None:
    environ = {"REQUEST_METHOD": "PUT"}
    found = limits(project_rate=MIB, project_uploads=1)
    assert found.paced(environ, "upload") is environ
    with found.upload(environ), found.upload(environ):
        pass


def test_projects_are_forgotten(clock: Clock) -> None:
    found = limits(project_rate=MIB, project_uploads=1)
    for number in range(100):
        environ = of(f"project-{number}")
        with found.upload(environ):
            wsgi.pace_of(found.paced(environ, "upload")).wait_after(MIB)
    assert len(found._of_project["upload"]._free) <= 2
    assert not found._uploads


def test_a_request_after_another_has_no_credit(clock: Clock) -> None:
    """An image that is downloaded by ranges takes as long as in one piece."""
    found = limits(project_rate=4 * MIB)
    for _ in range(10):
        wsgi.pace_of(found.paced(of("acme"), "download")).wait_after(2 * MIB)
    assert clock.now - 1000.0 == pytest.approx(20 / 4 - 0.5)


def test_many_transfers_do_not_wait_for_long_at_a_time(clock: Clock) -> None:
    """A proxy before Glance would give up on them."""
    found = limits(download_rate=MIB)
    paces = [wsgi.pace_of(found.paced(of("acme"), "download")) for _ in range(256)]
    rate, _ = paces[0]._rates[0]  # type: ignore[attr-defined]
    waits = [rate.wait_after(pace.step, "") for pace in paces]
    assert max(waits) <= 16


def test_one_upload_too_many(clock: Clock) -> None:
    found = limits(project_uploads=2)
    with found.upload(of("acme")):
        with found.upload(of("acme")):
            with pytest.raises(TooManyUploads) as refused, found.upload(of("acme")):
                pass
            with found.upload(of("globex")):
                pass
        with found.upload(of("acme")):
            pass
    assert refused.value.status == 503
    assert dict(refused.value.headers) == {"Retry-After": "30"}
    with pytest.raises(RuntimeError), found.upload(of("acme")):
        raise RuntimeError
    with found.upload(of("acme")), found.upload(of("acme")):
        pass


def test_a_real_clock() -> None:
    pace = wsgi.pace_of(limits(upload_rate=20 * MIB).paced(of("acme"), "upload"))
    began = time.monotonic()
    for _ in range(20):
        pace.wait_after(MIB)
    assert time.monotonic() - began >= 0.45

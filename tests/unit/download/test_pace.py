# SPDX-License-Identifier: Apache-2.0
"""The measured speed of a connection, and which side waits."""

from __future__ import annotations

import pytest

from s3gateway.download.pace import Pace
from tests.support.clock import Clock
from tests.support.s3.memory import MIB


@pytest.mark.parametrize(
    ("store_takes", "client_takes", "held_up"),
    [
        (0.1, 0.0, True),
        (0.1, 0.04, True),
        (0.1, 0.06, False),  # the client is slow itself
        (0.001, 0.0, False),  # nothing is faster than this connection
    ],
)
def test_which_side_waits(
    monkeypatch: pytest.MonkeyPatch,
    store_takes: float,
    client_takes: float,
    held_up: bool,
) -> None:
    clock = Clock()
    monkeypatch.setattr("s3gateway.download.pace.time", clock)
    pace = Pace()

    def read() -> bytes:
        clock.now += store_takes
        return bytes(MIB)

    for _ in range(8):
        clock.now += client_takes
        pace.read(read)
    assert pace.is_held_up is held_up
    assert pace.rate == pytest.approx(MIB / (store_takes + client_takes))

# SPDX-License-Identifier: Apache-2.0
"""A directory of hot images that no other test uses."""

from __future__ import annotations

import pathlib

import pytest

from tests.unit.download.hot.ground import Ground


@pytest.fixture(autouse=True)
def _time_for_a_busy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is given up, and the disk is not slow, unless a test says so."""
    monkeypatch.setattr("s3gateway.download.body._FIRST_PIECE", 60.0)
    monkeypatch.setattr("s3gateway.download.hot.directory._SLOW", 60.0)
    monkeypatch.setattr("s3gateway.download.hot.reader._PATIENCE", 60.0)


@pytest.fixture
def ground(tmp_path: pathlib.Path) -> Ground:
    return Ground(tmp_path / "hot")

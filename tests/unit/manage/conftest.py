# SPDX-License-Identifier: Apache-2.0
"""A Glance and stores for commands that bring images from one store to another."""

from __future__ import annotations

import pathlib

import pytest

from tests.unit.manage.moving import Moving


@pytest.fixture
def moving(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Moving:
    return Moving(tmp_path, monkeypatch, capsys)

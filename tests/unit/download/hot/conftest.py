# SPDX-License-Identifier: Apache-2.0
"""A directory of hot images that no other test uses."""

from __future__ import annotations

import pathlib

import pytest

from tests.unit.download.hot.ground import Ground


@pytest.fixture
def ground(tmp_path: pathlib.Path) -> Ground:
    return Ground(tmp_path / "hot")

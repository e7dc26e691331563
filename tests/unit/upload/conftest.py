# SPDX-License-Identifier: Apache-2.0
"""What runs an upload, with a fault at one of its steps."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

import pytest

from tests.support.faults.steps import Attempted
from tests.support.faults.steps import Step

Run = Callable[..., Attempted]


@pytest.fixture
def run(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Run:
    """Return what runs an ``Upload`` of the test's module."""

    def run(
        size: str,
        at: Step | None = None,
        error: Callable[[], BaseException] = MemoryError,
    ) -> Attempted:
        with monkeypatch.context() as patch:
            upload: Attempted = request.module.Upload(tmp_path, patch, size)
            upload.run(at, error)
        return upload

    return run

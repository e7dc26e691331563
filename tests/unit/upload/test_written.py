# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import time

import pytest

from s3gateway.upload.written import Written


def test_an_object_is_remembered_for_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    written = Written()
    written.remember("fast", "key", 5)
    assert written.size("fast", "key") == 5
    assert written.size("cheap", "key") is None
    later = time.monotonic() + 11
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert written.size("fast", "key") is None


def test_what_is_forgotten_is_not_known() -> None:
    written = Written()
    written.remember("fast", "key", 5)
    written.forget("fast", "key")
    written.forget("fast", "other")
    assert written.size("fast", "key") is None


def test_only_so_many_are_remembered() -> None:
    written = Written()
    for number in range(1001):
        written.remember("fast", str(number), number)
    assert written.size("fast", "0") is None
    assert written.size("fast", "1000") == 1000

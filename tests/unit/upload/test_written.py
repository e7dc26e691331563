# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from s3gateway.upload.written import Written


def test_an_object_is_known_as_long_as_it_is_registered() -> None:
    written = Written()
    with written.known("fast", "key", 5):
        assert written.size("fast", "key") == 5
        assert written.size("cheap", "key") is None
    assert written.size("fast", "key") is None


def test_an_object_is_not_known_after_a_failure() -> None:
    written = Written()
    with pytest.raises(ValueError, match="x"), written.known("fast", "key", 5):
        raise ValueError("x")
    assert written.size("fast", "key") is None


def test_an_object_that_is_deleted_meanwhile_is_not_known() -> None:
    written = Written()
    with written.known("fast", "key", 5):
        written.forget("fast", "key")
        assert written.size("fast", "key") is None

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest

from s3gateway.glance.image import Location
from s3gateway.glance.image import store_of
from tests.support.s3.memory import store_settings

FAST = store_settings()
CHEAP = store_settings("cheap")
STORES = {store.name: store for store in (FAST, CHEAP)}
URL = f"s3://{FAST.service}/{FAST.bucket}/key"


@pytest.mark.parametrize(
    ("store", "found"),
    [("cheap", "cheap"), ("other", "fast"), ([], "fast"), ({}, "fast"), (None, "fast")],
    ids=str,
)
def test_the_metadata_decides_unless_it_names_no_store(store: Any, found: str) -> None:
    """It may be any JSON: an operator has written it."""
    assert store_of(Location(URL, {"store": store}), STORES) == found

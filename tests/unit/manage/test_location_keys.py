# SPDX-License-Identifier: Apache-2.0
"""What check says of keys in the locations of Glance's database."""

from __future__ import annotations

import collections
from types import SimpleNamespace
from typing import Any

import pytest

from s3gateway.manage import locations
from s3gateway.manage.check import location_keys
from s3gateway.manage.check import seal
from s3gateway.manage.locations import Kind

PLAIN = Kind("fast", "", locations.IN_USE)
WITH_KEY = Kind("fast", "AKIA", locations.IN_USE)
OF_FACE = Kind("fast", "FACE", locations.SEALED)
UNREADABLE = Kind("fast", "", locations.UNREADABLE)


@pytest.mark.parametrize(
    ("found", "behind", "said"),
    [
        ([PLAIN], False, {"locations_without_keys": "ok"}),
        ([OF_FACE], True, {"locations_without_keys": "ok"}),
        ([WITH_KEY], False, {"locations_hold_keys": "warning"}),
        ([WITH_KEY], True, {"locations_hold_keys": "error"}),
        ([PLAIN, UNREADABLE], True, {"locations_not_decrypted": "warning"}),
        (
            [WITH_KEY, UNREADABLE],
            False,
            {"locations_not_decrypted": "warning", "locations_hold_keys": "warning"},
        ),
    ],
)
def test_what_is_said(
    found: list[Kind],
    behind: bool,
    said: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(locations, "count", lambda *_: collections.Counter(found))
    monkeypatch.setattr(seal, "is_behind", lambda _: behind)
    nothing: Any = SimpleNamespace(
        settings=SimpleNamespace(stores={}), output=None, face="", rows=[]
    )
    rows = [finding.row() for finding in location_keys.check(nothing, nothing)]
    assert {row["code"]: row["state"] for row in rows} == said

# SPDX-License-Identifier: Apache-2.0
"""Patches are read as Glance reads them, and shown to it as they were read."""

from __future__ import annotations

from typing import Any

import pytest

from s3gateway.locations import patches

OLD = "application/openstack-images-v2.0-json-patch"
NEW = "application/openstack-images-v2.1-json-patch"
LOCATION: Any = {"url": "s3://h/b/k", "metadata": {}}


def found(document: Any, media_type: str) -> list[tuple[str, list[Any]]]:
    writes = patches.location_writes(patches.read(document, media_type), media_type)
    return [(write.operation, write.locations) for write in writes]


@pytest.mark.parametrize(
    "pointer",
    ["/locations/-", "/locations/0", "/ locations /-", "//locations/-", "/locations"],
)
def test_locations_in_both_forms(pointer: str) -> None:
    for operation in ("add", "replace"):
        new = [{"op": operation, "path": pointer, "value": LOCATION}]
        old = [{operation: pointer, "value": LOCATION}]
        assert found(new, NEW) == found(old, OLD) == [(operation, [LOCATION])]


def test_each_of_several_pointers_counts() -> None:
    old = [{"add": "/name", "replace": "/locations", "value": [LOCATION]}]
    assert found(old, OLD) == [("replace", [LOCATION])]
    old = [{"add": "/locations/-", "remove": "/locations/0", "value": LOCATION}]
    assert found(old, OLD) == [("add", [LOCATION]), ("remove", [])]


def test_members_that_the_media_type_does_not_have_are_left_out() -> None:
    both: Any = {"op": "add", "path": "/name", "add": "/locations/-", "value": LOCATION}
    assert patches.read([both], NEW) == [
        {"op": "add", "path": "/name", "value": LOCATION}
    ]
    assert patches.read([both], OLD) == [{"add": "/locations/-", "value": LOCATION}]
    assert found([both], NEW) == []
    assert found([both], OLD) == [("add", [LOCATION])]


def test_what_is_missing_stays_missing() -> None:
    wrong: list[Any] = [{"op": "add"}, {"path": "/name"}, {}, 1, None, [[]]]
    for change in wrong:
        assert patches.read([change], NEW) == [change]
        assert found([change], NEW) == []
    for document in ({"op": "add"}, "text", 1, None):
        assert patches.read(document, NEW) == document
        assert found(document, NEW) == []


@pytest.mark.parametrize("change", [{"op": "add"}, {"path": "/name"}, {}, 1, [[]]])
@pytest.mark.parametrize("media_type", [OLD, NEW])
def test_nothing_is_read_behind_what_is_no_operation(
    change: Any, media_type: str
) -> None:
    """Glance refuses it, and reads no further: a million of them cost nothing."""
    good = {"op": "add", "path": "/name", "value": "x", "add": "/name"}
    kept = patches.read([good, change, *[{}] * 1000], media_type)
    assert len(kept) == 2


def test_the_pointer_is_forwarded_in_its_plain_spelling() -> None:
    patch = [{"op": "add", "path": "// locations / a~1b", "value": LOCATION}]
    patches.location_writes(patch, NEW)
    assert patch[0]["path"] == "/locations/a~1b"


@pytest.mark.parametrize(
    ("value", "understood"),
    [
        (LOCATION, True),
        ([LOCATION, {"url": "rbd://a"}], True),
        ([], True),
        (None, False),
        ("s3://h/b/k", False),
        ({"url": ["s3://h/b/k"]}, False),
        ({"metadata": {}}, False),
        ({"url": "s3://h/b/k", "metadata": "x"}, False),
        ([LOCATION, [LOCATION]], False),
    ],
)
def test_what_is_understood(value: Any, understood: bool) -> None:
    write = patches.Write("add", {"value": value})
    assert write.is_understood is understood

# SPDX-License-Identifier: Apache-2.0
"""An image is marked with its status, and the mark goes with it."""

from __future__ import annotations

import types
from typing import Any

import pytest

from s3gateway.errors import Conflict
from s3gateway.glance.api import Image
from s3gateway.glance.marks import MARK
from s3gateway.glance.marks import Mark
from s3gateway.glance.marks import MarkingDatabase

IMAGE = Image("an-id", "queued", None, "", "", "", (), {})


class Database:
    """Takes note of what is written; it may fail."""

    def __init__(self) -> None:
        self.written: list[dict[str, Any]] = []
        self.fails = False

    def image_update(
        self, context: Any, image_id: str, values: dict[str, Any], **how: Any
    ) -> str:
        if self.fails:
            raise TimeoutError("injected")
        self.written.append(values)
        return "written"

    def other(self) -> str:
        return "as it is"


class Repo:
    """Shows an image with some properties, or none."""

    def __init__(self, properties: dict[str, str] | None) -> None:
        self._properties = properties

    def get(self, image_id: str) -> Any:
        if self._properties is None:
            raise LookupError
        return types.SimpleNamespace(extra_properties=self._properties)


def save(properties: dict[str, str], state: str | None) -> tuple[Mark, dict[str, str]]:
    mark, database = Mark(Repo({}), IMAGE, gone=LookupError), Database()
    values = {"status": "saving", "properties": properties}
    marking = MarkingDatabase(database, mark)
    assert marking.other() == "as it is"
    assert marking.image_update(None, "an-id", values, from_state=state) == "written"
    [written] = database.written
    assert values["properties"] is properties
    return mark, written["properties"]


def test_it_comes_with_the_status() -> None:
    mark, written = save({"os": "linux", MARK: "an old one"}, "queued")
    assert written == {"os": "linux", MARK: mark.value}
    assert mark.value


def test_it_goes_with_the_status() -> None:
    mark, written = save({"os": "linux", MARK: "one"}, "saving")
    assert written == {"os": "linux"}
    assert not mark.value


def test_other_changes_are_left_alone() -> None:
    _, written = save({MARK: "one"}, None)
    assert written == {MARK: "one"}


def test_a_name_that_a_database_takes_for_the_same() -> None:
    """Two of them would be a duplicate, and the upload in vain."""
    mark, written = save({MARK.upper(): "a user's"}, "queued")
    assert written == {MARK.upper(): "a user's"}
    assert not mark.value


def test_what_was_not_written_does_not_count() -> None:
    mark, database = Mark(Repo({}), IMAGE, gone=LookupError), Database()
    database.fails = True
    with pytest.raises(TimeoutError):
        MarkingDatabase(database, mark).image_update(
            None, "an-id", {"properties": {}}, from_state="queued"
        )
    assert not mark.value


@pytest.mark.parametrize("properties", [{MARK: "ours"}, {}, None])
def test_nobody_has_taken_over(properties: dict[str, str] | None) -> None:
    Mark(Repo(properties), IMAGE, "ours", gone=LookupError).check()


def test_another_upload_has_taken_over() -> None:
    with pytest.raises(Conflict):
        Mark(Repo({MARK: "theirs"}), IMAGE, "ours", gone=LookupError).check()

# SPDX-License-Identifier: Apache-2.0
"""An image is marked with its status, and the mark goes with it."""

from __future__ import annotations

import datetime
import types
from typing import Any

import pytest

from s3gateway.errors import Conflict
from s3gateway.glance.api import Image
from s3gateway.glance.marks import MARK
from s3gateway.glance.marks import Mark
from s3gateway.glance.marks import MarkingDatabase

NOW = 1795724933.0
IMAGE = Image("an-id", "queued", None, "", "", "", (), {})


class Database:
    """Takes note of what is written; it may fail, or take long.

    :ivar failing: what is raised of the first writes
    :ivar late: how many seconds writes take, the first ones first
    """

    def __init__(self) -> None:
        self.written: list[dict[str, Any]] = []
        self.failing: list[Exception] = []
        self.late: list[float] = []

    def image_update(
        self, context: Any, image_id: str, values: dict[str, Any], **how: Any
    ) -> dict[str, Any]:
        if self.failing:
            raise self.failing.pop(0)
        self.written.append(values)
        moment = NOW + (self.late.pop(0) if self.late else 0)
        utc = datetime.datetime.fromtimestamp(moment, datetime.timezone.utc)
        return {"updated_at": utc.replace(tzinfo=None)}

    def other(self) -> str:
        return "as it is"


class Repo:
    """Shows an image with some properties, or none."""

    def __init__(self, properties: dict[str, str] | None) -> None:
        self._properties = properties

    def get(self, image_id: str) -> Any:
        if self._properties is None:
            raise LookupError
        return shown(self._properties)


def shown(properties: dict[str, str]) -> Any:
    return types.SimpleNamespace(extra_properties=properties)


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: NOW)


def begin(database: Database) -> Mark:
    mark = Mark(Repo({}), IMAGE, gone=LookupError)
    values = {"status": "saving", "properties": {"os": "linux"}}
    marking = MarkingDatabase(database, mark, duplicate=KeyError)
    marking.image_update(None, "an-id", values, from_state="queued")
    return mark


def save(properties: dict[str, str], state: str | None) -> tuple[Mark, dict[str, str]]:
    mark, database = Mark(Repo({}), IMAGE, gone=LookupError), Database()
    values = {"status": "saving", "properties": properties}
    marking = MarkingDatabase(database, mark, duplicate=KeyError)
    assert marking.other() == "as it is"
    assert marking.image_update(None, "an-id", values, from_state=state)["updated_at"]
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
    database = Database()
    database.failing = [KeyError("there is one")]
    mark = begin(database)
    assert [written["properties"] for written in database.written] == [{"os": "linux"}]
    assert mark.is_on(shown({}))
    assert not mark.is_on(shown({MARK: "of another upload"}))


@pytest.mark.parametrize(
    "failing", [[TimeoutError()], [KeyError("there is one"), TimeoutError()]]
)
def test_an_upload_that_has_not_begun_saves_nothing(failing: list[Exception]) -> None:
    """Another may: one through stock Glance has no mark, and is not to be reset."""
    mark, database = Mark(Repo({}), IMAGE, gone=LookupError), Database()
    assert not mark.is_on(shown({}))
    database.failing = failing
    marking = MarkingDatabase(database, mark, duplicate=KeyError)
    with pytest.raises(TimeoutError):
        marking.image_update(None, "an-id", {"properties": {}}, from_state="queued")
    assert not mark.is_on(shown({}))


@pytest.mark.parametrize(
    ("late", "writes"), [([1.0], 1), ([2.0], 2), ([9, 9, 9, 9], 4)]
)
def test_it_is_written_again_if_the_database_was_slow(
    late: list[float], writes: int
) -> None:
    """Else it would not count: the image would seem to have changed since."""
    database = Database()
    database.late = list(late)
    mark = begin(database)
    assert len(database.written) == writes
    assert mark.value == database.written[-1]["properties"][MARK]
    assert all(
        values == {"properties": {MARK: values["properties"][MARK]}}
        for values in database.written[1:]
    )


@pytest.mark.parametrize("properties", [{MARK: "ours"}, {}, None])
def test_nobody_has_taken_over(properties: dict[str, str] | None) -> None:
    Mark(Repo(properties), IMAGE, "ours", gone=LookupError).check()


def test_another_upload_has_taken_over() -> None:
    with pytest.raises(Conflict):
        Mark(Repo({MARK: "theirs"}), IMAGE, "ours", gone=LookupError).check()

# SPDX-License-Identifier: Apache-2.0
"""The soak notices what grows, and an error that nothing explains."""

from __future__ import annotations

import pytest

from tests.soak import clients
from tests.soak import summary
from tests.soak.diary import BROKEN
from tests.soak.diary import NOT_IMPORTED
from tests.soak.diary import OK
from tests.soak.diary import ONE_BIT
from tests.soak.diary import WRONG
from tests.soak.diary import Cause
from tests.soak.diary import Deed
from tests.soak.diary import Diary
from tests.soak.summary import Look
from tests.support.clients.load import Census

MIB = 1024**2


def diary(*causes: Cause) -> Diary:
    found = Diary(by_api=["sealed"])
    for cause in causes:
        found.went_wrong(cause)
    return found


def deed(what: str, outcome: str, through: str = "filter") -> Deed:
    return Deed(what, through, "an-image", 10, 20, outcome)


CORRUPT = Cause("S3: Corrupt", 5, 30, "an-image")
KILLED = Cause("worker: KILL", 15, 30, through="filter")


@pytest.mark.parametrize(
    ("what", "outcome", "cause"),
    [
        ("download", BROKEN, CORRUPT),
        ("range", ONE_BIT, CORRUPT),
        ("upload", BROKEN, KILLED),
        ("copy", NOT_IMPORTED, KILLED),
        ("upload", BROKEN, Cause("client: ResetWithin", 5, 30, "an-image", "filter")),
        ("delete", "500", Cause("S3 away", 15, 16)),
        ("download", "503", Cause("S3 away", 15, 16)),
        ("show", "503", Cause("Glance: HUP", 15, 16, through="filter")),
    ],
)
def test_an_error_is_explained_by_what_happened_to_it(
    what: str, outcome: str, cause: Cause
) -> None:
    found = diary(cause)
    found.did(deed(what, outcome))
    assert found.unexplained() == []
    assert [row[:3] for row in found.reasons()] == [(what, outcome, 1)]


@pytest.mark.parametrize(
    ("what", "outcome", "cause"),
    [
        ("download", BROKEN, None),
        ("download", BROKEN, Cause("S3: Corrupt", 5, 30, "another-image")),
        ("download", BROKEN, Cause("S3: Truncate", 5, 30, "an-image")),
        ("download", WRONG, CORRUPT),
        ("download", ONE_BIT, CORRUPT),
        ("range", WRONG, CORRUPT),
        ("range", ONE_BIT, KILLED),
        ("download", WRONG, KILLED),
        ("download", "404", KILLED),
        ("upload", BROKEN, Cause("worker: KILL", 15, 30, through="sealed")),
        ("upload", BROKEN, Cause("worker: KILL", 21, 30, through="filter")),
        ("upload", "500", Cause("S3: Error500", 5, 30, "an-image")),
        ("download", "500", Cause("S3 away", 5, 30)),
        ("download", "503", None),
        ("show", "500", Cause("S3 away", 5, 30)),
    ],
)
def test_other_errors_are_not(what: str, outcome: str, cause: Cause | None) -> None:
    found = diary(*([cause] if cause else []))
    found.did(deed(what, outcome))
    found.did(deed(what, OK))
    assert found.unexplained() == [deed(what, outcome)]
    assert [row[3] for row in found.reasons()] == ["NOT ALLOWED"]


def test_glances_driver_may_fail_an_upload_that_is_registered_by_the_api() -> None:
    found = diary(Cause("S3 away", 5, 30))
    found.did(deed("upload", "500", through="sealed"))
    assert found.unexplained() == []


def looks(*values: float, what: str = "rss") -> list[Look]:
    base = {"pid": 1, "rss": 200 * MIB, "sockets": 10, "files": 20, "threads": 9}
    return [
        Look(60.0 * number, Census(**{**base, what: int(value)}))
        for number, value in enumerate(values)
    ]


@pytest.mark.parametrize("what", ["rss", "sockets", "files", "threads"])
def test_what_grows_with_each_round_is_noticed(what: str) -> None:
    step = 2 * summary.MOST[what] / 12
    seen = looks(*(step * number for number in range(12)), what=what)
    [found] = summary.grown({"filter 1": seen})
    assert found.endswith(f"more {what}")


def test_what_is_filled_once_does_not_grow() -> None:
    values = [100, 180, 240, 250, 251, 249, 252, 250, 251, 250, 252, 250]
    assert summary.grown({"filter 1": looks(*(x * MIB for x in values))}) == []


def test_a_worker_that_was_replaced_is_noticed() -> None:
    seen = looks(200 * MIB, 200 * MIB)
    other = Look(99.0, Census(2, 200 * MIB, 10, 20, 9))
    assert summary.grown({"filter 1": [*seen, other]}) == ["filter 1: another process"]


@pytest.mark.parametrize(
    ("found", "outcome"),
    [(b"abce", ONE_BIT), (b"abcg", WRONG), (b"abc", WRONG), (b"", WRONG)],
)
def test_a_wrong_bit_is_told_from_other_data(found: bytes, outcome: str) -> None:
    clients.same(b"abcd", b"abcd")
    with pytest.raises(clients.Unexpected, match=outcome):
        clients.same(found, b"abcd")

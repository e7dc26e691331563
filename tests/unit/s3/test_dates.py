# SPDX-License-Identifier: Apache-2.0
"""The age of an object, from all kinds of dates in an answer."""

from __future__ import annotations

import datetime

import pytest

from s3gateway.s3 import dates

NOW = "Thu, 26 Nov 2026 12:00:00 GMT"
THEN = "Thu, 26 Nov 2026 11:00:00 GMT"
UNREADABLE = [
    None,
    "",
    "yesterday",
    "Thu, 99 Foo 2026 12:00:00 GMT",
    "Thu, 99999999999999999999 Nov 2026 12:00:00 GMT",
    "0",
]


def age(now: str | None, then: str | None) -> float:
    return dates.age(dates.parsed(now), dates.parsed(then))


def test_both_dates_are_the_servers() -> None:
    assert age(NOW, THEN) == 3600
    assert age(NOW, THEN.replace("GMT", "-0000")) == 3600


@pytest.mark.parametrize("missing", UNREADABLE)
def test_without_a_date_this_hosts_clock_counts(missing: str | None) -> None:
    now = datetime.datetime.now(datetime.timezone.utc)
    then = now - datetime.timedelta(hours=1)
    found = age(missing, then.strftime("%a, %d %b %Y %H:%M:%S GMT"))
    assert 3590 < found < 3700


@pytest.mark.parametrize(
    "missing",
    [*UNREADABLE, "Thu, 01 Jan 1970 00:00:00 GMT", "Mon, 01 Jan 0001 00:00:00 GMT"],
)
def test_what_has_no_date_of_its_own_is_young(missing: str | None) -> None:
    assert age(NOW, missing) == 0
    assert age(None, missing) == 0


@pytest.mark.parametrize(
    ("value", "year"),
    [
        ("2026-11-26T11:00:00.000Z", 2026),
        (1795000000, 2026),
        ("1970-01-01T00:00:00.000Z", None),
        ("0001-01-01T00:00:00Z", None),
        ("", None),
        ("soon", None),
        ("Thu8, 99999999999999999999 Jan 2026 0:0:0 GMT", None),
        (None, None),
    ],
)
def test_dates_in_documents(value: object, year: int | None) -> None:
    found = dates.lenient(value)
    assert (found and found.year) == year

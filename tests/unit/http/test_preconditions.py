# SPDX-License-Identifier: Apache-2.0
"""Conditional requests against RFC 9110, section 13."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3gateway.http import preconditions
from s3gateway.http.preconditions import Validators

MODIFIED = datetime.datetime(2026, 11, 20, 12, 0, 0, tzinfo=datetime.timezone.utc)
BEFORE = "Fri, 20 Nov 2026 11:59:59 GMT"
EXACTLY = "Fri, 20 Nov 2026 12:00:00 GMT"
AFTER = "Fri, 20 Nov 2026 12:00:01 GMT"
OURS = Validators("abc", MODIFIED)


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, 0),
        ({"IF_MATCH": '"abc"'}, 0),
        ({"IF_MATCH": '"x", "abc"'}, 0),
        ({"IF_MATCH": "*"}, 0),
        ({"IF_MATCH": '"x"'}, 412),
        ({"IF_MATCH": 'W/"abc"'}, 412),  # 13.1.1: strong comparison
        ({"IF_NONE_MATCH": '"abc"'}, 304),
        ({"IF_NONE_MATCH": 'W/"abc"'}, 304),  # 13.1.2: weak comparison
        ({"IF_NONE_MATCH": "*"}, 304),
        ({"IF_NONE_MATCH": '"x"'}, 0),
        ({"IF_MODIFIED_SINCE": BEFORE}, 0),
        ({"IF_MODIFIED_SINCE": EXACTLY}, 304),
        ({"IF_MODIFIED_SINCE": AFTER}, 304),
        ({"IF_MODIFIED_SINCE": "yesterday"}, 0),
        ({"IF_UNMODIFIED_SINCE": BEFORE}, 412),
        ({"IF_UNMODIFIED_SINCE": EXACTLY}, 0),
        ({"IF_UNMODIFIED_SINCE": "yesterday"}, 0),
        # 13.2.2: the entity tags go before the dates
        ({"IF_MATCH": '"abc"', "IF_UNMODIFIED_SINCE": BEFORE}, 0),
        ({"IF_NONE_MATCH": '"x"', "IF_MODIFIED_SINCE": AFTER}, 0),
        ({"IF_MATCH": '"x"', "IF_NONE_MATCH": '"abc"'}, 412),
    ],
)
def test_preconditions(headers: dict[str, str], code: int) -> None:
    environ = {f"HTTP_{name}": value for name, value in headers.items()}
    assert preconditions.failed(environ, OURS) == code


@pytest.mark.parametrize(
    ("condition", "applies"),
    [
        ("", True),
        ('"abc"', True),
        ('"x"', False),
        ('W/"abc"', False),
        (EXACTLY, True),
        (BEFORE, False),
        (AFTER, False),
        ("nonsense", False),
    ],
)
def test_if_range(condition: str, applies: bool) -> None:
    environ = {"HTTP_IF_RANGE": condition}
    assert preconditions.range_applies(environ, OURS) is applies


def test_an_image_without_a_digest_matches_no_tag() -> None:
    nothing = Validators("", None)
    assert preconditions.failed({"HTTP_IF_NONE_MATCH": '""'}, nothing) == 0
    assert preconditions.failed({"HTTP_IF_MODIFIED_SINCE": AFTER}, nothing) == 0
    assert nothing.headers() == []


def test_headers() -> None:
    assert OURS.headers() == [("ETag", '"abc"'), ("Last-Modified", EXACTLY)]


@pytest.mark.parametrize(
    "date",
    [
        "Friday, 20-Nov-26 12:00:00 GMT",  # 5.6.7: the obsolete formats
        "Fri Nov 20 12:00:00 2026",
    ],
)
def test_obsolete_dates(date: str) -> None:
    assert preconditions.failed({"HTTP_IF_MODIFIED_SINCE": date}, OURS) == 304
    assert preconditions.range_applies({"HTTP_IF_RANGE": date}, OURS)


@pytest.mark.parametrize(
    "date",
    [
        "Fri, 20 Nov 99999999999 12:00:00 GMT",
        "Fri, 20 Nov 2026 12:00:00 +9999999999",
        "Fri, 32 Nov 2026 12:00:00 GMT",
        "Fri, 20 Nov 2026 25:00:00 GMT",
        "Fri, 31 Feb 2026 12:00:00 GMT",
        "20 Nov 2026 12:00:00 GMT",
        "2026-11-20T12:00:00Z",
    ],
)
def test_what_is_no_date_is_ignored(date: str) -> None:
    for field in ("IF_MODIFIED_SINCE", "IF_UNMODIFIED_SINCE"):
        assert preconditions.failed({f"HTTP_{field}": date}, OURS) == 0
    assert not preconditions.range_applies({"HTTP_IF_RANGE": date}, OURS)


WORDS = """
    Fri Friday Abc , - : + . / ( ) Nov Foo GMT UTC EST 0 20 99 2026 0000 9999 12:00:00
    99999999999 -0000 " W/ * "abc"
"""
TOKENS = st.sampled_from([*WORDS.split(), " ", "\t", "\x00", "\n", "\xb2", "9" * 5000])
FIELDS = st.text(st.characters(max_codepoint=255), max_size=40) | st.lists(
    TOKENS, max_size=14
).map("".join)
NAMES = ("IF_MATCH", "IF_NONE_MATCH", "IF_MODIFIED_SINCE", "IF_UNMODIFIED_SINCE")


@given(st.dictionaries(st.sampled_from([*NAMES, "IF_RANGE"]), FIELDS))
def test_no_header_makes_it_fail(fields: dict[str, str]) -> None:
    environ = {f"HTTP_{name}": value for name, value in fields.items()}
    for validators in (OURS, Validators("", None)):
        assert preconditions.failed(environ, validators) in (0, 304, 412)
        assert preconditions.range_applies(environ, validators) in (True, False)


DATES = st.builds(
    "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT".format,
    st.sampled_from(["Fri", "Abc"]),
    st.integers(0, 99),
    st.sampled_from(["Nov", "Feb", "Foo"]),
    st.integers(0, 9999),
    st.integers(0, 99),
    st.integers(0, 99),
    st.integers(0, 99),
)


@given(DATES)
def test_no_date_makes_it_fail(date: str) -> None:
    environ = {"HTTP_IF_MODIFIED_SINCE": date, "HTTP_IF_UNMODIFIED_SINCE": date}
    assert preconditions.failed(environ, OURS) in (0, 304, 412)

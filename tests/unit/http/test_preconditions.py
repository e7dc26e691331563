# SPDX-License-Identifier: Apache-2.0
"""Conditional requests against RFC 9110, section 13."""

from __future__ import annotations

import datetime

import pytest

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

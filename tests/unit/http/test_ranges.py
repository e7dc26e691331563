# SPDX-License-Identifier: Apache-2.0
"""Ranges against RFC 9110, section 14."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3gateway.http import ranges
from s3gateway.http.ranges import Span

SIZE = 100


@pytest.mark.parametrize(
    ("header", "span"),
    [
        ("bytes=0-0", Span(0, 1)),
        ("bytes=0-99", Span(0, 100)),
        ("bytes=0-", Span(0, 100)),
        ("bytes=99-", Span(99, 100)),
        ("bytes=99-99", Span(99, 100)),
        ("bytes=10-1000", Span(10, 100)),
        ("bytes=-1", Span(99, 100)),
        ("bytes=-100", Span(0, 100)),
        ("bytes=-1000", Span(0, 100)),
        ("BYTES=5-6", Span(5, 7)),
        ("bytes= 5-6 ", Span(5, 7)),
        ("items=0-5", None),
    ],
)
def test_single_ranges(header: str, span: Span | None) -> None:
    assert ranges.of_range(header, SIZE) == span


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_ranges_behind_the_end(header: str) -> None:
    with pytest.raises(ranges.NotSatisfiable):
        ranges.of_range(header, SIZE)


@pytest.mark.parametrize(
    "header",
    [
        "bytes=0-1,5-6",
        "bytes=0-1, -5",
        "bytes=5-2",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=0x1-2",
        "bytes=+1-2",
        "bytes=\N{SUPERSCRIPT TWO}-5",
        "bytes 0-5",
        "",
        "5-6",
    ],
)
def test_several_and_malformed_ranges_are_left_to_glance(header: str) -> None:
    with pytest.raises(ranges.NotUnderstood):
        ranges.of_range(header, SIZE)


@given(size=st.integers(1, 2**50), first=st.integers(0, 2**51), length=st.integers(1))
def test_int_ranges_are_cut_at_the_end(size: int, first: int, length: int) -> None:
    header = f"bytes={first}-{first + length - 1}"
    if first >= size:
        with pytest.raises(ranges.NotSatisfiable):
            ranges.of_range(header, size)
        return
    span = ranges.of_range(header, size)
    assert span == Span(first, min(first + length, size))
    assert span.length <= length
    assert span.content_range(size) == f"bytes {first}-{span.stop - 1}/{size}"


@given(size=st.integers(1, 2**50), length=st.integers(1, 2**51))
def test_suffix_ranges_end_at_the_end(size: int, length: int) -> None:
    span = ranges.of_range(f"bytes=-{length}", size)
    assert span is not None
    assert span.stop == size
    assert span.length == min(length, size)


LONG = "9" * 5000  # digits, more than Python reads

WORDS = "bytes BYTES items = - , / * 0 1 99 100 +1 1_0 0x1 \N{SUPERSCRIPT TWO}"
NUMBERS = (LONG, "0" * 5000, "0" * 5000 + "7")
TOKENS = st.sampled_from([*WORDS.split(), " ", "\t", *NUMBERS])
HEADERS = st.text(st.characters(max_codepoint=255), max_size=40) | st.lists(
    TOKENS, max_size=9
).map("".join)


@given(HEADERS, st.integers(1, 2**50))
def test_whatever_is_asked_for_lies_within_the_image(header: str, size: int) -> None:
    for ask in (ranges.of_range, ranges.of_content_range):
        try:
            span = ask(header, size)
        except (ranges.NotSatisfiable, ranges.NotUnderstood):
            continue
        assert span is None or 0 <= span.start < span.stop <= size


@pytest.mark.parametrize(
    ("header", "span"),
    [
        (f"bytes=5-{LONG}", Span(5, 100)),
        (f"bytes=-{LONG}", Span(0, 100)),
        (f"bytes={'0' * 5000}5-{'0' * 5000}6", Span(5, 7)),
    ],
)
def test_numbers_of_thousands_of_digits(header: str, span: Span) -> None:
    assert ranges.of_range(header, SIZE) == span


@pytest.mark.parametrize("header", [f"bytes={LONG}-", f"bytes={LONG}-{LONG}"])
def test_nothing_is_so_far_out(header: str) -> None:
    with pytest.raises(ranges.NotSatisfiable):
        ranges.of_range(header, SIZE)


@pytest.mark.parametrize("header", [f"bytes={LONG}-5", f"bytes=5-{LONG}x", LONG])
def test_glance_is_not_asked_what_it_fails_on(header: str) -> None:
    for ask in (ranges.of_range, ranges.of_content_range):
        with pytest.raises(ranges.NotSatisfiable):
            ask(header, SIZE)


@pytest.mark.parametrize(
    ("header", "span"),
    [
        ("bytes 0-4/100", Span(0, 5)),
        ("bytes 0-4/*", Span(0, 5)),
        ("bytes 99-99/100", Span(99, 100)),
        ("bytes 0-4/5", Span(0, 5)),
        (f"bytes 0-4/{LONG}", Span(0, 5)),
    ],
)
def test_content_range_of_a_request(header: str, span: Span) -> None:
    assert ranges.of_content_range(header, SIZE) == span


@pytest.mark.parametrize(
    "header",
    [
        "bytes 0-100/*",
        "bytes 100-101/102",
        "bytes 0-100/5",  # stock: the header contradicts itself
        "bytes 0-5/5",
        f"bytes 0-{LONG}/*",
        f"bytes {LONG}-{LONG}/{LONG}",
        "bytes */100",  # stock fails
    ],
)
def test_content_range_behind_the_end(header: str) -> None:
    with pytest.raises(ranges.NotSatisfiable):
        ranges.of_content_range(header, SIZE)


@pytest.mark.parametrize("header", ["bytes 5-2/100", "bytes  0-5/100", "0-5/100", ""])
def test_malformed_content_range(header: str) -> None:
    with pytest.raises(ranges.NotUnderstood):
        ranges.of_content_range(header, SIZE)

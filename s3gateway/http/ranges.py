# SPDX-License-Identifier: Apache-2.0
"""Range and Content-Range of a request: which part of an image it asks for.

Pure functions that follow RFC 9110, section 14.  Where the RFC leaves a choice, they
follow Glance (``glance.common.wsgi.Request.get_range_from_request``).
"""

from __future__ import annotations

import dataclasses
import re

# RFC 9110, 14.1.1: int-range and suffix-range.
_INT_RANGE = re.compile(r"([0-9]+)-([0-9]*)")
_SUFFIX_RANGE = re.compile(r"-([0-9]+)")
# RFC 9110, 14.4, and the "*" that Glance also takes from a request.
_CONTENT_RANGE = re.compile(r"bytes ([0-9]+)-([0-9]+)/([0-9]+|\*)", re.IGNORECASE)

# No image is so long, and Python does not parse numbers of thousands of digits.
_MOST_DIGITS = 18
_FAR_OUT = 10**_MOST_DIGITS
# Glance fails on such numbers, and on a Content-Range without a range.
_FATAL = re.compile(r"[0-9]{1000}|\*/")


@dataclasses.dataclass(frozen=True)
class Span:
    """The bytes ``start`` to ``stop - 1`` of an image."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        return self.stop - self.start

    def content_range(self, size: int) -> str:
        """Return the Content-Range header of a 206 (RFC 9110, 14.4)."""
        return f"bytes {self.start}-{self.stop - 1}/{size}"


class NotSatisfiable(Exception):
    """No byte of the image lies in the range: 416."""


class NotUnderstood(Exception):
    """Several ranges, or a malformed one: Glance must answer."""


def _not_understood(header: str) -> NotSatisfiable | NotUnderstood:
    """Return the error for a header that is malformed."""
    return NotSatisfiable() if _FATAL.search(header) else NotUnderstood()


def of_range(header: str, size: int) -> Span | None:
    """Return the span of a Range header, ``None`` for the whole image.

    :param header: the header's value
    :param size: the image's size in bytes
    :raises NotSatisfiable: if the range lies behind the end of the image
    :raises NotUnderstood: if there are several ranges or it is malformed
    """
    unit, separator, ranges = header.partition("=")
    if separator and unit.strip().lower() != "bytes":
        return None  # 14.2: a unit that is not understood MUST be ignored
    if match := _INT_RANGE.fullmatch(ranges.strip()):
        start = _number(match[1])
        last = _number(match[2]) if match[2] else size - 1
        if match[2] and last < start:
            raise _not_understood(header)
        return _within(start, last + 1, size)
    if match := _SUFFIX_RANGE.fullmatch(ranges.strip()):
        length = _number(match[1])
        return _within(max(size - length, 0) if length else size, size, size)
    raise _not_understood(header)


def of_content_range(header: str, size: int) -> Span:
    """Return the span of the Content-Range header of a *request*.

    Old clients send it, and Glance still honours it.

    :raises NotSatisfiable: if the range exceeds the image, or the length in the header
    :raises NotUnderstood: if it is malformed
    """
    match = _CONTENT_RANGE.fullmatch(header.strip())
    if match is None or _number(match[2]) < _number(match[1]):
        raise _not_understood(header)
    start, stop = _number(match[1]), _number(match[2]) + 1
    length = size if match[3] == "*" else _number(match[3])
    if stop > min(size, length):
        raise NotSatisfiable
    return Span(start, stop)


def _number(digits: str) -> int:
    digits = digits.lstrip("0")
    return int(digits or "0") if len(digits) <= _MOST_DIGITS else _FAR_OUT


def _within(start: int, stop: int, size: int) -> Span:
    if start >= size:
        raise NotSatisfiable
    return Span(start, min(stop, size))

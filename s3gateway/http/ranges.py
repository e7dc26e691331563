# SPDX-License-Identifier: Apache-2.0
"""Byte ranges: which part of an image a request asks for.

Pure functions after RFC 9110, section 14.  Where the RFC leaves a choice,
Glance's (``glance.common.wsgi.Request.get_range_from_request``) is taken.
"""

from __future__ import annotations

import dataclasses
import re

# RFC 9110, 14.1.1: int-range and suffix-range.
_INT_RANGE = re.compile(r"([0-9]+)-([0-9]*)")
_SUFFIX_RANGE = re.compile(r"-([0-9]+)")
# RFC 9110, 14.4, and the "*" that Glance also takes from a request.
_CONTENT_RANGE = re.compile(r"bytes\s+([0-9]+)-([0-9]+)/([0-9]+|\*)", re.IGNORECASE)


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
    """Several ranges, or a malformed one: Glance's answer is the right one."""


def of_range(header: str, size: int) -> Span | None:
    """Return the span a Range header asks for, ``None`` for the whole image.

    :param header: the header's value
    :param size: the image's size in bytes
    :raises NotSatisfiable: if the range lies behind the end of the image
    :raises NotUnderstood: if there are several ranges or it is malformed
    """
    unit, separator, ranges = header.partition("=")
    if separator and unit.strip().lower() != "bytes":
        return None  # 14.2: a unit that is not understood MUST be ignored
    if match := _INT_RANGE.fullmatch(ranges.strip()):
        start = int(match.group(1))
        last = int(match.group(2)) if match.group(2) else size - 1
        if match.group(2) and last < start:
            raise NotUnderstood
        return _within(start, last + 1, size)
    if match := _SUFFIX_RANGE.fullmatch(ranges.strip()):
        length = int(match.group(1))
        return _within(max(size - length, 0) if length else size, size, size)
    raise NotUnderstood


def of_content_range(header: str, size: int) -> Span:
    """Return the span that a *request's* Content-Range header asks for.

    Old clients ask this way and Glance still honours it.

    :raises NotSatisfiable: if the range does not lie within the image
    :raises NotUnderstood: if it is malformed
    """
    match = _CONTENT_RANGE.fullmatch(header.strip())
    if match is None or int(match.group(2)) < int(match.group(1)):
        raise NotUnderstood
    start, stop = int(match.group(1)), int(match.group(2)) + 1
    if stop > size:
        raise NotSatisfiable
    return Span(start, stop)


def _within(start: int, stop: int, size: int) -> Span:
    if start >= size:
        raise NotSatisfiable
    return Span(start, min(stop, size))

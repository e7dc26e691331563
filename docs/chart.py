# SPDX-License-Identifier: Apache-2.0
"""Draws lines over axes, as SVG, for the other scripts of this directory."""

from __future__ import annotations

import dataclasses
import html
import math
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence

COLOURS = (
    "#1f6fb4",
    "#d9822b",
    "#3a9d5d",
    "#b4434f",
    "#7a5cc0",
    "#8a7a2b",
    "#4ba3a8",
    "#8c959f",
)

_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 14, 30, 22  # of a box, around the axes
_LEGEND = 16  # pixels of a line
_CHARACTER = 6.0  # pixels
_GREY, _LIGHT = "#57606a", "#d8dee4"


@dataclasses.dataclass(frozen=True)
class Line:
    """A line through points, in the order of x."""

    name: str
    points: Sequence[tuple[float, float]]
    colour: str
    dashed: bool = False


@dataclasses.dataclass(frozen=True)
class Box:
    """Where a chart stands in the picture, in pixels."""

    left: float
    top: float
    width: float
    height: float


@dataclasses.dataclass(frozen=True)
class Axis:
    """How the values of x are placed and named.

    :ivar low: the value at the left end
    :ivar high: the value at the right end
    :ivar marks: values, each with what is written below it
    :ivar logarithmic: whether equal steps are equal factors
    """

    low: float
    high: float
    marks: Sequence[tuple[float, str]]
    logarithmic: bool = False

    def part(self, value: float) -> float:
        """Return where a value is, from 0 to 1."""
        low, high, at = (self._scaled(x) for x in (self.low, self.high, value))
        return (at - low) / ((high - low) or 1)

    def _scaled(self, value: float) -> float:
        return math.log(value) if self.logarithmic else value


def picture(width: float, height: float, shapes: Sequence[str], about: str) -> str:
    """Return an SVG file."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" font-family="sans-serif" '
        f'font-size="11" role="img" aria-label="{html.escape(about)}">'
    )
    ground = f'<rect width="{width:g}" height="{height:g}" fill="#fff"/>'
    return "\n".join([head, ground, *shapes, "</svg>", ""])


def chart(
    title: str,
    lines: Sequence[Line],
    box: Box,
    axis: Axis,
    shown: Callable[[float], str],
    base: float = 1000,
) -> Iterator[str]:
    """Yield the shapes of a chart.

    :param shown: returns how a value of y is written
    :param base: of the units in which it is written: 1000 or 1024
    """
    yield frame(title, box)
    rows = _legend(lines, box)
    inner = Box(
        box.left + _LEFT,
        box.top + _TOP,
        box.width - _LEFT - _RIGHT,
        box.height - _TOP - _BOTTOM - _LEGEND * len(rows),
    )
    values = [y for line in lines for _, y in line.points]
    marks = ticks(max(values, default=0.0), base)
    yield from _axes(inner, axis, marks, shown)
    for line in lines:
        yield from _line(line, inner, axis, marks[-1])
    if not values:
        yield text(
            inner.left + inner.width / 2, inner.top + inner.height / 2, "no data"
        )
    for number, row in enumerate(rows):
        y = box.top + box.height - _LEGEND * (len(rows) - number) + 8
        for x, line in row:
            yield (
                f'<rect x="{x:.1f}" y="{y - 7:.1f}" width="10" height="4" '
                f'fill="{line.colour}"/>'
            )
            yield text(x + 14, y, line.name, anchor="start")


def frame(title: str, box: Box) -> str:
    """Return the border of a box, with its title."""
    return (
        f'<rect x="{box.left:.1f}" y="{box.top:.1f}" width="{box.width:.1f}" '
        f'height="{box.height:.1f}" rx="3" fill="#fff" stroke="{_LIGHT}"/>\n'
        + text(box.left + 10, box.top + 18, title, anchor="start", bold=True)
    )


def text(
    x: float,
    y: float,
    words: str,
    *,
    anchor: str = "middle",
    bold: bool = False,
    size: float = 0,
) -> str:
    """Return words at a place."""
    style = ' font-weight="bold" fill="#24292f"' if bold else f' fill="{_GREY}"'
    style += f' font-size="{size:g}"' if size else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{style}>'
        f"{html.escape(words)}</text>"
    )


def ticks(most: float, base: float = 1000) -> list[float]:
    """Return round values from 0 to what is not less than the largest one.

    :param base: round in units of this, or of a power of it
    """
    if most <= 0:
        return [0.0, 1.0]
    if most >= base:
        return [base * tick for tick in ticks(most / base, base)]
    rough = most / 4
    power = 10 ** math.floor(math.log10(rough))
    step = next(n * power for n in (1, 2, 2.5, 5, 10) if n * power >= rough)
    return [step * number for number in range(math.ceil(most / step - 1e-9) + 1)]


def _axes(
    box: Box, axis: Axis, marks: list[float], shown: Callable[[float], str]
) -> Iterator[str]:
    for mark in marks:
        y = box.top + box.height * (1 - mark / marks[-1])
        yield (
            f'<line x1="{box.left:.1f}" y1="{y:.1f}" x2="{box.left + box.width:.1f}" '
            f'y2="{y:.1f}" stroke="{_LIGHT}"/>'
        )
        yield text(box.left - 6, y + 4, shown(mark), anchor="end")
    for value, name in axis.marks:
        x = box.left + box.width * axis.part(value)
        yield text(x, box.top + box.height + 15, name)


def _line(line: Line, box: Box, axis: Axis, most: float) -> Iterator[str]:
    places = " ".join(
        f"{box.left + box.width * axis.part(x):.1f},"
        f"{box.top + box.height * (1 - y / most):.1f}"
        for x, y in line.points
    )
    if not places:
        return
    dashes = ' stroke-dasharray="5 3"' if line.dashed else ""
    yield (
        f'<polyline points="{places}" fill="none" stroke="{line.colour}" '
        f'stroke-width="1.6"{dashes}/>'
    )


def _legend(lines: Sequence[Line], box: Box) -> list[list[tuple[float, Line]]]:
    """Return the names of lines by rows, each with where it begins."""
    rows: list[list[tuple[float, Line]]] = []
    at = 0.0
    for line in {line.name: line for line in lines}.values():
        width = 14 + _CHARACTER * len(line.name) + 12
        if not rows or at + width > box.left + box.width:
            rows.append([])
            at = box.left + 12
        rows[-1].append((at, line))
        at += width
    return rows

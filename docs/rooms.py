# SPDX-License-Identifier: Apache-2.0
"""Draws the rooms of the package, from its files, its imports and the layers.

    python docs/rooms.py

writes ``docs/source/images/rooms.svg``; a test compares it with the code.
"""

from __future__ import annotations

import ast
import html
import pathlib
import sys
import textwrap
from collections.abc import Iterator

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = pathlib.Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "s3gateway"
PICTURE = ROOT / "docs" / "source" / "images" / "rooms.svg"

_WIDTH, _GAP, _LINE = 1000, 12, 16  # pixels
_CHARACTER = 6.6  # pixels


def layers() -> list[list[str]]:
    """Return the rooms from top to bottom, as the import linter's contract has them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contract = project["tool"]["importlinter"]["contracts"][0]
    return [[name.strip() for name in row.split("|")] for row in contract["layers"]]


def modules(room: str) -> list[str]:
    """Return the modules of a room, none if it is one module."""
    files = (PACKAGE / room).rglob("*.py") if (PACKAGE / room).is_dir() else ()
    names = {file.relative_to(PACKAGE / room).with_suffix("") for file in files}
    return sorted(
        name.as_posix() for name in names if name.name not in ("__init__", "__main__")
    )


def used_by(room: str) -> list[str]:
    """Return the other rooms that a room imports from."""
    found = {name for file in _files(room) for name in _imports(file)}
    return sorted(found - {room})


def _files(room: str) -> Iterator[pathlib.Path]:
    folder = PACKAGE / room
    yield from folder.rglob("*.py") if folder.is_dir() else [PACKAGE / f"{room}.py"]


def _imports(file: pathlib.Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            package, _, rest = node.module.partition(".")
            if package == PACKAGE.name:
                yield rest.split(".")[0] or node.names[0].name


def draw() -> str:
    """Return the picture."""
    shapes: list[str] = []
    top = _GAP
    for row in layers():
        width = (_WIDTH - _GAP) / len(row) - _GAP
        texts = [_lines(room, int((width - 20) / _CHARACTER)) for room in row]
        height = max(map(len, texts)) * _LINE + 18
        for number, lines in enumerate(texts):
            left = _GAP + number * (width + _GAP)
            shapes += _box(left, top, width, height, lines)
        top += height + _GAP
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top}" '
        'font-family="monospace" font-size="11">'
    )
    return "\n".join([head, *shapes, "</svg>", ""])


def _lines(room: str, width: int) -> list[tuple[str, str]]:
    """Return what stands in a box, each line with its style."""
    inside = textwrap.wrap(" · ".join(modules(room)), width)
    uses = textwrap.wrap("uses " + " ".join(used_by(room)), width)
    return [
        ("font-weight='bold' font-size='13'", room),
        *(("", line) for line in inside),
        *(("fill='#777'", line) for line in uses if used_by(room)),
    ]


def _box(
    left: float, top: float, width: float, height: float, lines: list[tuple[str, str]]
) -> Iterator[str]:
    yield (
        f'<rect x="{left:.0f}" y="{top}" width="{width:.0f}" height="{height}" '
        'rx="4" fill="#f6f8fa" stroke="#8c959f"/>'
    )
    for number, (style, line) in enumerate(lines):
        y = top + 20 + number * _LINE
        text = html.escape(line)
        yield f'<text x="{left + 10:.0f}" y="{y}" {style}>{text}</text>'


if __name__ == "__main__":
    PICTURE.write_text(draw(), encoding="utf-8")

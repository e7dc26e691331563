# SPDX-License-Identifier: Apache-2.0
"""Makes the pages of the documents that are followed from what a run has written.

    .tox/unit/bin/python docs/documents.py

reads ``docs/source/measured/documents/*.json``, which ``make documents`` writes, and
writes ``docs/source/documents/*.rst``; a test compares them.
"""

from __future__ import annotations

import json
import pathlib
import textwrap
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[1]
STORIES = ROOT / "docs" / "source" / "measured" / "documents"
PAGES = ROOT / "docs" / "source" / "documents"

_MADE = ".. Made by docs/documents.py; make documents writes what it is made of.\n"
_INDEX = """
Five documents, followed
========================

This project starts from five documents, in which operators tell how they keep images
of Glance in S3.  ``make documents`` follows each from end to end on real servers, with
the document's own configuration and commands; ``make documents DOCUMENT=minio`` follows
those with ``minio`` in their names.  A result that is not what the document or this
project promises fails the run, and then there is no page.  Stock Glance and the gateway
do the same steps side by side.
"""
_HEADINGS = (
    "What the document does",
    "What happened here",
    "What is better through the gateway",
)

Told = dict[str, Any]


def stories() -> list[Told]:
    """Return what was told, in the order of the documents."""
    found = [json.loads(path.read_text("utf-8")) for path in STORIES.glob("*.json")]
    return sorted(found, key=lambda story: int(story["number"]))


def pages() -> dict[pathlib.Path, str]:
    """Return the text of each page."""
    found = stories()
    made = {PAGES / f"{story['name']}.rst": page(story) for story in found}
    return {PAGES / "index.rst": index(found), **made}


def index(found: Sequence[Told]) -> str:
    """Return the page that leads to the others."""
    if not found:
        return f"{_MADE}{_INDEX}"
    rows = [("Document", "Followed on", "Cannot be had here")]
    rows += [
        (
            f":doc:`{story['name']}`",
            story["date"],
            "\n\n".join(story["cannot"]) or "nothing is missing",
        )
        for story in found
    ]
    names = [f"   {story['name']}" for story in found]
    tree = [".. toctree::", "   :maxdepth: 1", "   :hidden:", "", *names, ""]
    return "\n".join([f"{_MADE}{_INDEX}", *_list_table(rows, (34, 16, 50)), *tree])


def page(story: Told) -> str:
    """Return the page of a document."""
    lines = [_MADE, *_titled(story["title"], "="), *_wrapped(story["published"])]
    lines += _wrapped(_when(story))
    if story["cannot"]:
        lines += ["What of it cannot be had here:", ""]
        for each in story["cannot"]:
            lines += _wrapped(each, "* ")
    for step in story["steps"]:
        lines += _titled(step["title"], "-")
        if step["rows"]:
            lines += _list_table([_HEADINGS, *step["rows"]], (30, 40, 30))
        for block in step["blocks"]:
            lines += [*_wrapped(f"{block['caption']}:"), *_block(block)]
    return "\n".join(lines).rstrip() + "\n"


def _when(story: Told) -> str:
    versions = [f"{name} {version}" for name, version in story["versions"].items()]
    minutes = max(1, round(story["seconds"] / 60))
    took = f"{minutes} minute{'s' * (minutes > 1)}"
    used = f" with {', '.join(versions)}" if versions else ""
    return f"It was followed on {story['date']}{used}; that took {took}."


def _titled(title: str, line: str) -> list[str]:
    return [title, line * len(title), ""]


def _wrapped(text: str, first: str = "") -> list[str]:
    found = textwrap.wrap(
        text,
        width=100,
        initial_indent=first,
        subsequent_indent=" " * len(first),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [*found, ""]


def _block(block: Told) -> Iterator[str]:
    if "table" in block:
        table = block["table"]
        yield from _list_table(table, [100 // len(table[0])] * len(table[0]))
        return
    yield from (".. code-block:: text", "")
    yield from textwrap.indent(block["text"], "    ").splitlines()
    yield ""


def _list_table(rows: Sequence[Sequence[str]], widths: Sequence[int]) -> list[str]:
    lines = [".. list-table::", "   :header-rows: 1"]
    lines += [f"   :widths: {' '.join(map(str, widths))}", ""]
    for row in rows:
        for number, cell in enumerate(row):
            mark = "   * - " if number == 0 else "     - "
            text = textwrap.indent(cell, " " * 7).strip()
            lines.append((mark + text).rstrip())
    return [*lines, ""]


if __name__ == "__main__":
    PAGES.mkdir(exist_ok=True)
    made = pages()
    for path in set(PAGES.glob("*.rst")) - set(made):
        path.unlink()
    for path, text in made.items():
        path.write_text(text, encoding="utf-8")

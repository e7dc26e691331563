# SPDX-License-Identifier: Apache-2.0
"""The pages are in plain English: short sentences, and no riddles."""

from __future__ import annotations

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.rst", *sorted((ROOT / "docs" / "source").rglob("*.rst"))]

# Clauses without an antecedent, passives without an actor, and two of the names that
# stand-alone mode once had.
_HARD = re.compile(
    r"\b(whoever|whomever|whom|is asked of|are asked of|is seen in|is what is"
    r"|a gateway of its own)\b",
    re.IGNORECASE,
)
_MESSAGE = re.compile(r"``[^`]*``|^``.*``$", re.MULTILINE)
_LONGEST = 45  # words


def prose(text: str) -> str:
    """Return a page without what the code says, and without titles of tables."""
    return " ".join(_MESSAGE.sub("CODE", text).split())


def hard(text: str) -> list[str]:
    return [found[0] for found in _HARD.finditer(prose(text))]


def paragraphs(page: pathlib.Path) -> list[str]:
    """Return the paragraphs and list items that are prose."""
    blocks = re.split(r"\n\s*\n|\n\s*(?:\* - |\* |- |\d\. )", page.read_text())
    code = re.compile(r"^\s*(\.\.|:)|::|^\s{4,}", re.MULTILINE)
    return [block for block in blocks if not code.search(block)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_hard_words(page: pathlib.Path) -> None:
    if page.parent.name != "decisions" or page.name == "index.rst":
        assert hard(page.read_text()) == []
    else:  # records keep their words, but for those that have no antecedent
        assert not re.search(r"\b(whoever|whom)\b", page.read_text(), re.IGNORECASE)


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page.parent.name != "decisions"],
    ids=lambda page: page.name,
)
def test_no_endless_sentences(page: pathlib.Path) -> None:
    sentences = [
        sentence
        for block in paragraphs(page)
        for sentence in re.split(r"(?<=[.:;?!])\s+", prose(block))
    ]
    assert [each for each in sentences if len(each.split()) > _LONGEST] == []


def test_they_would_be_found() -> None:
    assert hard("Whoever reads it knows whom it is for.") == ["Whoever", "whom"]
    assert hard("``Whoever``") == []

# SPDX-License-Identifier: Apache-2.0
"""The release notes: each has a name that reno knows again, and its sections."""

from __future__ import annotations

import pathlib
import re

import pytest
import yaml

from tests.packaging.conftest import ROOT

NOTES = sorted((ROOT / "releasenotes" / "notes").iterdir())
SECTIONS = {
    "prelude",
    "features",
    "issues",
    "upgrade",
    "deprecations",
    "critical",
    "security",
    "fixes",
    "other",
}


@pytest.mark.parametrize("note", NOTES, ids=lambda path: path.name)
def test_a_note(note: pathlib.Path) -> None:
    assert re.fullmatch(r"[a-z0-9-]+-[0-9a-f]{16}\.yaml", note.name)
    said = yaml.safe_load(note.read_text())
    assert said
    assert said.keys() <= SECTIONS
    prelude = said.pop("prelude", "text")
    assert isinstance(prelude, str)
    for section, texts in said.items():
        assert isinstance(texts, list), section
        assert all(isinstance(text, str) and text.strip() for text in texts), section


def test_no_two_notes_have_one_id() -> None:
    ids = [note.stem[-16:] for note in NOTES]
    assert len(set(ids)) == len(ids)

# SPDX-License-Identifier: Apache-2.0
"""The README, and its commands, by section."""

from __future__ import annotations

import pathlib

from docutils import nodes
from docutils.core import publish_doctree

README = pathlib.Path(__file__).resolve().parents[2] / "README.rst"

_QUIET = {"report_level": 5, "file_insertion_enabled": False, "_disable_config": True}


def section(title: str) -> nodes.section:
    """Return a section.

    :raises LookupError: if the README has none of that title
    """
    whole = publish_doctree(README.read_text(), settings_overrides=_QUIET)
    for found in whole.findall(nodes.section):
        if found[0].astext() == title:
            return found
    raise LookupError(title)


def blocks(title: str) -> list[str]:
    """Return the literal blocks of a section."""
    return [block.astext() for block in section(title).findall(nodes.literal_block)]

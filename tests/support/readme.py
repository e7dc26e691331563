# SPDX-License-Identifier: Apache-2.0
"""The commands of the README, by section."""

from __future__ import annotations

import pathlib

from docutils import nodes
from docutils.core import publish_doctree

README = pathlib.Path(__file__).resolve().parents[2] / "README.rst"

_QUIET = {"report_level": 5, "file_insertion_enabled": False, "_disable_config": True}


def blocks(title: str) -> list[str]:
    """Return the literal blocks of a section.

    :raises LookupError: if the README has no such section
    """
    document = publish_doctree(README.read_text(), settings_overrides=_QUIET)
    for section in document.findall(nodes.section):
        if section[0].astext() == title:
            return [block.astext() for block in section.findall(nodes.literal_block)]
    raise LookupError(title)

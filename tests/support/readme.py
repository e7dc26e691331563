# SPDX-License-Identifier: Apache-2.0
"""The README or another page, and its commands, by section."""

from __future__ import annotations

import pathlib

from docutils import nodes
from docutils.core import publish_doctree

README = pathlib.Path(__file__).resolve().parents[2] / "README.rst"

_QUIET = {"report_level": 5, "file_insertion_enabled": False, "_disable_config": True}


def section(title: str, page: pathlib.Path = README) -> nodes.section:
    """Return a section; of what Sphinx alone knows nothing is in it.

    :raises LookupError: if the page has none of that title
    """
    whole = publish_doctree(page.read_text(), settings_overrides=_QUIET)
    for found in whole.findall(nodes.section):
        if found[0].astext() == title:
            return found
    raise LookupError(title)


def blocks(title: str, page: pathlib.Path = README) -> list[str]:
    """Return the literal blocks of a section."""
    found = section(title, page).findall(nodes.literal_block)
    # Where Sphinx is needed, docutils says so in a block that is not the page's.
    return [
        block.astext()
        for block in found
        if not isinstance(block.parent, nodes.system_message)
    ]

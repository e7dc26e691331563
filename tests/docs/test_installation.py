# SPDX-License-Identifier: Apache-2.0
"""How the documentation says that the package is installed."""

from __future__ import annotations

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]

# pip would look for it on PyPI, where it is not yet.
_BY_NAME = re.compile(r"pip3? install (?:\S+ )*s3gateway\s*$", re.M)


def pages() -> list[pathlib.Path]:
    return [
        ROOT / "README.rst",
        *(ROOT / "docs" / "source").rglob("*.rst"),
        *(ROOT / "docs" / "source" / "snippets").iterdir(),
        *(ROOT / "etc").rglob("*.conf*"),
    ]


def test_nobody_is_told_to_install_what_is_not_published() -> None:
    wrong = [page for page in pages() if _BY_NAME.search(page.read_text())]
    assert wrong == []


def test_such_a_command_would_be_found() -> None:
    assert _BY_NAME.search("    pip install -c constraints.txt s3gateway\n")

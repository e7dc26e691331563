# SPDX-License-Identifier: Apache-2.0
"""The targets of the README's links exist; Sphinx checks the site's own links."""

from __future__ import annotations

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_the_readme_points_to_files_that_are_there() -> None:
    links = re.findall(r"`[^`<]+<([^>]+)>`__", (ROOT / "README.rst").read_text())
    assert links
    assert [link for link in links if not (ROOT / link).is_file()] == []

# SPDX-License-Identifier: Apache-2.0
"""The site looks as it was meant to: what no warning of Sphinx's is about."""

from __future__ import annotations

import csv
import pathlib
import re
import runpy

import pytest

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs" / "source"
NOTES = DOCS.parents[1] / "releasenotes" / "source"
TABLES = [*DOCS.glob("tables/*.csv"), *DOCS.glob("measured/*.csv")]


@pytest.mark.parametrize("table", TABLES, ids=lambda path: path.stem)
def test_no_cell_of_a_table_is_read_as_a_list(table: pathlib.Path) -> None:
    with table.open(encoding="utf-8", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert cells
    assert [cell for cell in cells if re.match(r"([-+*]|\w+[.)])( |$)", cell)] == []


def test_no_page_fetches_anything_from_elsewhere() -> None:
    """As the theme does by default, for statistics, a search and a badge."""
    for source in (DOCS, NOTES):
        conf = runpy.run_path(str(source / "conf.py"))
        assert conf["html_theme"] == "openstackdocs"
        assert conf["html_theme_options"]["analytics_tracking_code"] == ""
        assert conf["html_theme_options"]["display_badge"] is False
        [templates] = conf["templates_path"]
        replaced = {path.name for path in (source / templates).iterdir()}
        assert {"header.html", "footer.html"} <= replaced
    for path in [*DOCS.glob("_templates/*"), *DOCS.glob("_static/*")]:
        assert not re.search(r"<script|src=.http|@import|url\(", path.read_text()), path

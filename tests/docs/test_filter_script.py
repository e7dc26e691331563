# SPDX-License-Identifier: Apache-2.0
"""The commands that put the filter into a Glance, run as they are shown."""

from __future__ import annotations

import pathlib

from tests.support.servers import glance
from tests.support.servers.processes import run

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "docs" / "source" / "snippets" / "filter.sh"
SHIPPED = ROOT / "etc" / "paste" / "glance-api-paste.ini"


def commands() -> list[str]:
    """Return what the documentation shows: the script without its head."""
    return SCRIPT.read_text().splitlines()[3:]


def test_they_make_the_shipped_paste_file(tmp_path: pathlib.Path) -> None:
    """Of Glance's own; that ours differs in nothing else a system test looks at."""
    shipped = glance.parsed(SHIPPED.read_text())
    stock = {
        section: {name: value.replace(" s3gateway ", " ") for name, value in it.items()}
        for section, it in shipped.items()
        if section != "filter:s3gateway"
    }
    file = tmp_path / "glance-api-paste.ini"
    file.write_text(glance.ini(stock))
    assert "s3gateway" not in file.read_text()
    where, *changes = commands()
    assert where == "cd /etc/glance"
    run(["sh", "-euc", "\n".join(changes)], cwd=tmp_path)
    assert glance.parsed(file.read_text()) == shipped


def test_the_readme_shows_the_same() -> None:
    readme = (ROOT / "README.rst").read_text()
    assert [line for line in commands() if f"    {line}\n" not in readme] == []

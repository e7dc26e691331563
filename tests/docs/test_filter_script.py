# SPDX-License-Identifier: Apache-2.0
"""The commands that put the filter into a paste file, and those that take it out."""

from __future__ import annotations

import pathlib

import pytest

from tests.support import readme
from tests.support.servers import glance
from tests.support.servers.processes import run

ROOT = pathlib.Path(__file__).resolve().parents[2]
SNIPPETS = ROOT / "docs" / "source" / "snippets"
IN, OUT = SNIPPETS / "filter.sh", SNIPPETS / "filter-out.sh"
SHIPPED = ROOT / "etc" / "paste" / "glance-api-paste.ini"


@pytest.fixture
def stock() -> str:
    """Glance's own; that ours differs in nothing else a system test looks at."""
    shipped = glance.parsed(SHIPPED.read_text())
    return glance.ini({
        section: {name: value.replace(" s3gateway ", " ") for name, value in it.items()}
        for section, it in shipped.items()
        if section != "filter:s3gateway"
    })  # fmt: skip


@pytest.fixture
def file(tmp_path: pathlib.Path, stock: str) -> pathlib.Path:
    path = tmp_path / "glance-api-paste.ini"
    path.write_text(stock)
    assert "s3gateway" not in stock
    return path


def does(script: pathlib.Path, file: pathlib.Path) -> str:
    return run(["sh", "-eu", script], env={"PASTE": str(file)}).stdout


def test_they_make_the_shipped_paste_file(file: pathlib.Path) -> None:
    shown = does(IN, file)
    assert glance.parsed(file.read_text()) == glance.parsed(SHIPPED.read_text())
    pipelines = glance.parsed(SHIPPED.read_text())["composite:api"]
    assert len(shown.splitlines()) == len(pipelines) - 1  # one is the factory


def test_a_second_time_nothing_changes(file: pathlib.Path, stock: str) -> None:
    does(IN, file)
    once = file.read_text()
    does(IN, file)
    assert file.read_text() == once
    does(OUT, file)
    assert file.read_text() == stock
    does(OUT, file)
    assert file.read_text() == stock


@pytest.mark.parametrize("end", ["rootapp", "rootapp  "])
def test_a_pipeline_of_its_own_section(file: pathlib.Path, end: str) -> None:
    """As old paste files have them, and as editors leave them."""
    file.write_text(f"[pipeline:mine]\npipeline = context {end}\n")
    does(IN, file)
    changed = glance.parsed(file.read_text())
    assert changed["pipeline:mine"]["pipeline"] == "context s3gateway rootapp"


def test_what_stands_behind_the_filter_stays(file: pathlib.Path, stock: str) -> None:
    does(IN, file)
    more = "config_file = /etc/glance/other.conf\n"
    file.write_text(file.read_text() + more + "[app:metrics]\nuse = egg:x\n")
    does(OUT, file)
    assert file.read_text() == stock + "[app:metrics]\nuse = egg:x\n"


def test_a_file_without_pipelines_is_an_error(file: pathlib.Path) -> None:
    file.write_text("[app:other]\nuse = egg:other\n")
    done = run(["sh", "-eu", IN], env={"PASTE": str(file)}, check=False)
    assert done.returncode == 1


def test_the_readme_shows_the_same() -> None:
    assert IN.read_text().strip() in readme.blocks("Install it")
    assert OUT.read_text().strip() in readme.blocks("Install it")
    [out] = readme.blocks("Take it out again")
    assert out.startswith(OUT.read_text())

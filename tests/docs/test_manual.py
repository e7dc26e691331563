# SPDX-License-Identifier: Apache-2.0
"""The manual page and the completion that packages install."""

from __future__ import annotations

import argparse
import pathlib
import re
import subprocess
import sys

import pytest

from s3gateway.manage import arguments
from s3gateway.manage import commands
from s3gateway.manage import main
from tests.docs.test_codes import explained
from tests.docs.test_commands import parsers

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """What ``docs/manual.py`` writes, as a package is built: from anywhere."""
    elsewhere = tmp_path_factory.mktemp("manual")
    script = str(ROOT / "docs" / "manual.py")
    subprocess.run([sys.executable, "-I", script, "made"], cwd=elsewhere, check=True)
    return elsewhere / "made"


def test_there_is_nothing_else(made: pathlib.Path) -> None:
    names = {path.name for path in made.iterdir()}
    assert names == {"s3gateway-manage", "s3gateway-manage.1"}


def test_the_manual_page_has_every_command_and_code(made: pathlib.Path) -> None:
    text = (made / "s3gateway-manage.1").read_text().replace("\\-", "-")
    assert re.search(r"(?mi)^\.TH \"?s3gateway-manage\"? \"?1\"?", text)
    assert re.search(r"(?m)^s3gateway-manage - look after images", text)
    sections = set(re.findall(r"(?mi)^\.S[HS] \"?([^\"\n]*)", text))
    parser = argparse.ArgumentParser(arguments.PROGRAM)
    commands.declare(parser.add_subparsers())
    words = {inner.prog.partition(" ")[2] for inner in parsers(parser)}
    assert words <= sections
    assert all(code in text for code in explained())


def test_the_manual_page_has_no_markup_left(made: pathlib.Path) -> None:
    text = (made / "s3gateway-manage.1").read_text()
    assert re.findall(r":\w+:`|``|^\.\. |SYSTEM MESSAGE", text, re.M | re.I) == []
    assert "the documentation (operations/cleaning) has the rules" in text


def test_the_completion_is_the_commands(
    made: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion", "bash"]) == 0
    assert (made / "s3gateway-manage").read_text() == capsys.readouterr().out

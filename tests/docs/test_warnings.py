# SPDX-License-Identifier: Apache-2.0
"""Every page about ``gc`` warns that a wrong use deletes images."""

from __future__ import annotations

import pathlib

import pytest

from s3gateway.manage import commands

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs" / "source"
WARNING = "A bucket belongs to exactly one Glance database."


@pytest.mark.parametrize(
    "page", ["operations/cleaning.rst", "command.rst", "install/stores.rst"]
)
def test_the_pages_warn_of_two_databases(page: str) -> None:
    assert WARNING in (DOCS / page).read_text()


def test_the_help_warns_of_two_databases(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        commands.parse(["gc", "--help"])
    assert WARNING in capsys.readouterr().out

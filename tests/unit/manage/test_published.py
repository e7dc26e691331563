# SPDX-License-Identifier: Apache-2.0
"""Configurations as deployment tools write them: the stores that are seen in each."""

from __future__ import annotations

import pathlib

import pytest

from s3gateway.manage import commands
from s3gateway.manage.check.command import _configuration
from s3gateway.manage.check.findings import Severity
from s3gateway.manage.context import Context
from s3gateway.manage.output import Output
from tests.support.servers import published

_IDENTITY = "[database]\nconnection = mysql+pymysql://glance@db.example/glance\n"


@pytest.mark.parametrize("tool", published.PUBLISHED)
def test_check_sees_what_the_tool_has_written(
    tool: str, tmp_path: pathlib.Path
) -> None:
    _, stores, default = published.PUBLISHED[tool]
    words = published.write(tool, tmp_path)
    (tmp_path / "database.conf").write_text(_IDENTITY)
    words.append(f"--config-file={tmp_path / 'database.conf'}")
    context = Context(commands.parse([*words, "check"]), Output("json"))
    assert list(context.settings.stores) == stores
    assert context.settings.default_store == default
    found = list(_configuration(context.settings))
    assert max(finding.severity for finding in found) <= Severity.NOTE

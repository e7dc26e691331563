# SPDX-License-Identifier: Apache-2.0
"""Where the gateway stands in Glance's paste file, and what is said about it."""

from __future__ import annotations

import pathlib

import pytest
from oslo_config import cfg

from s3gateway.manage.check import paste_file
from s3gateway.manage.check.findings import Finding
from s3gateway.manage.check.findings import Severity

PASTE = """
[composite:glance-api-keystone]
paste.composite_factory = glance.api:root_app_factory
/: api
/healthcheck: healthcheck

[composite:api]
paste.composite_factory = glance.api:pipeline_factory
default = context rootapp
keystone = {}

[filter:gateway]
{}
"""
USE = "use = egg:s3gateway#s3gateway"
FACTORY = "paste.filter_factory = s3gateway.factory:filter_factory"


def found(tmp_path: pathlib.Path, paste: str | None, flavor: str) -> Finding:
    file = tmp_path / "paste.ini"
    if paste is not None:
        file.write_text(paste)
    config = tmp_path / "glance-api.conf"
    config.write_text(f"[paste_deploy]\nflavor = {flavor}\nconfig_file = {file}\n")
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[str(config)])
    [finding] = paste_file.check(conf)
    return finding


@pytest.mark.parametrize(
    ("words", "section", "state"),
    [
        ("authtoken context gateway rootapp", USE, Severity.OK),
        ("authtoken context gateway rootapp", FACTORY, Severity.OK),
        ("authtoken gateway context rootapp", USE, Severity.WARNING),
        ("gateway gateway rootapp", USE, Severity.WARNING),
        ("authtoken context rootapp", USE, Severity.ERROR),
        ("authtoken context gateway rootapp", "use = egg:other#x", Severity.ERROR),
    ],
)
def test_where_it_stands(
    tmp_path: pathlib.Path, words: str, section: str, state: Severity
) -> None:
    finding = found(tmp_path, PASTE.format(words, section), "keystone")
    assert finding.severity is state
    assert bool(finding.advice) is (state is not Severity.OK)


@pytest.mark.parametrize(
    ("paste", "flavor", "words"),
    [
        (PASTE.format("gateway rootapp", USE), "caching", "has none of that name"),
        ("no section", "keystone", "cannot be read"),
        (None, "keystone", "Set [paste_deploy] config_file"),
    ],
)
def test_what_cannot_be_looked_at(
    tmp_path: pathlib.Path, paste: str | None, flavor: str, words: str
) -> None:
    finding = found(tmp_path, paste, flavor)
    assert finding.severity is Severity.ERROR
    assert words in finding.advice

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
whole = context gateway rootapp

[filter:gateway]
{}
"""
USE = "use = egg:s3gateway#s3gateway"
FACTORY = "paste.filter_factory = s3gateway.factory:filter_factory"


@pytest.fixture(autouse=True)
def _nothing_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paste_file, "_DIRECTORIES", ())


def all_found(tmp_path: pathlib.Path, paste: str | None, flavor: str) -> list[Finding]:
    file = tmp_path / "paste.ini"
    if paste is not None:
        file.write_text(paste)
    config = tmp_path / "glance-api.conf"
    config.write_text(f"[paste_deploy]\nflavor = {flavor}\nconfig_file = {file}\n")
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[str(config)])
    return list(paste_file.check(conf))


def found(tmp_path: pathlib.Path, paste: str | None, flavor: str) -> Finding:
    """Return what is found out about the pipeline that is used."""
    return all_found(tmp_path, paste, flavor)[0]


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


def test_every_pipeline_is_there_and_which_is_used(tmp_path: pathlib.Path) -> None:
    paste = PASTE.format("authtoken context gateway rootapp", USE)
    findings = all_found(tmp_path, paste, "keystone")
    assert [(each.severity, each.found) for each in findings] == [
        (Severity.OK, "s3gateway stands last in pipeline keystone, which is used"),
        (Severity.NOTE, "s3gateway is not in pipeline default"),
        (Severity.OK, "s3gateway stands last in pipeline whole"),
    ]
    assert "put the filter there as well" in findings[1].advice


def test_a_file_with_a_section_for_each_pipeline(tmp_path: pathlib.Path) -> None:
    """As Glance's own was in earlier releases."""
    paste = f"""
[pipeline:glance-api]
pipeline = context rootapp

[pipeline:glance-api-keystone]
pipeline = authtoken context gateway rootapp

[filter:gateway]
{USE}
"""
    findings = all_found(tmp_path, paste, "keystone")
    assert [each.found for each in findings] == [
        "s3gateway stands last in pipeline keystone, which is used",
        "s3gateway is not in pipeline default",
    ]


@pytest.mark.parametrize(
    ("paste", "words"),
    [
        (PASTE.format("context gateway rootapp", USE), "not every pipeline of it has"),
        ("[composite:api]\ndefault = gateway rootapp\n[filter:gateway]\n" + USE,
         ": every pipeline of it has"),
        ("no section", "it cannot be read"),
    ],
)  # fmt: skip
def test_a_second_file(tmp_path: pathlib.Path, paste: str, words: str) -> None:
    second = tmp_path / "glance-api-paste.ini"
    second.write_text(paste)
    used = PASTE.format("context gateway rootapp", USE)
    *_, last = all_found(tmp_path, used, "keystone")
    assert last.severity is Severity.WARNING
    assert words in last.found
    assert str(second) in last.advice


def test_a_second_file_where_glance_looks(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "etc"
    elsewhere.mkdir()
    (elsewhere / "glance-api-paste.ini").symlink_to(tmp_path / "paste.ini")
    (elsewhere / "glance-registry.conf").write_text("")
    monkeypatch.setattr(paste_file, "_DIRECTORIES", (str(elsewhere),))
    paste = PASTE.format("context gateway rootapp", USE)
    assert len(all_found(tmp_path, paste, "keystone")) == 3  # it is the same one
    (elsewhere / "glance-api-paste.ini").unlink()
    (elsewhere / "glance-api-paste.ini").write_text(paste)
    assert len(all_found(tmp_path, paste, "keystone")) == 4

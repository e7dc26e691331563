# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pathlib

import pytest
from oslo_config import cfg

from s3gateway.manage.check import uwsgi_files
from s3gateway.manage.check.findings import Severity

OK, NOTE, WARNING = Severity.OK, Severity.NOTE, Severity.WARNING


def found(directory: pathlib.Path, text: str) -> list[Severity]:
    (directory / "glance-api.conf").touch()
    (directory / "glance-api-uwsgi.ini").write_text(text)
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[str(directory / "glance-api.conf")])
    return [finding.severity for finding in uwsgi_files.check(conf)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[uwsgi]\nprocesses = 2\nprocesses = 3\nmaster", WARNING),
        ("[uwsgi]\nchunked-input-limit = 1048576", WARNING),
        ("[uwsgi]\nchunked-input-limit = 16777216", OK),
        ("[uwsgi]\nchunked-input-limit = much", NOTE),
        ("no section", NOTE),
    ],
)
def test_the_file_beside_glances(
    text: str, expected: Severity, tmp_path: pathlib.Path
) -> None:
    assert found(tmp_path, text) == [expected]


@pytest.mark.parametrize("named", [False, True])
def test_the_file_beside_drop_ins_alone(named: bool, tmp_path: pathlib.Path) -> None:
    drop_ins = tmp_path / "glance-api.conf.d"
    drop_ins.mkdir()
    (tmp_path / "glance-api-uwsgi.ini").write_text("[uwsgi]")
    conf = cfg.ConfigOpts()
    conf(
        [f"--config-dir={drop_ins}"] if named else [],
        default_config_files=[],
        default_config_dirs=[] if named else [str(drop_ins)],
    )
    [finding] = uwsgi_files.check(conf)
    assert finding.severity is WARNING

# SPDX-License-Identifier: Apache-2.0
"""The demo says what it leaves out, and why."""

from __future__ import annotations

import pathlib
import shutil

import pytest

from tests.demo import images
from tests.demo.report import Report


def test_a_machine_without_images(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(images, "_ISOS", (str(tmp_path / "no.iso"),))
    pictures, left_out = images.prepare(tmp_path)
    assert [picture.disk_format for picture in pictures] == ["raw"]
    assert left_out == {"iso": images.NO_ISO, "qcow2": images.NO_QCOW2}


@pytest.mark.parametrize(("holds", "code"), [(True, 0), (False, 1)])
def test_the_end(capsys: pytest.CaptureFixture[str], holds: bool, code: int) -> None:
    with Report() as report:
        report.check("it works", holds)
        report.leave_out("a disk", "no tool for it")
        assert report.finish() == code
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == [
        f"1 checks, {code} failed",
        "left out: a disk: no tool for it",
    ]

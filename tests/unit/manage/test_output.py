# SPDX-License-Identifier: Apache-2.0
"""What is printed for people and for programs."""

from __future__ import annotations

import json

import pytest

from s3gateway.manage import main
from s3gateway.manage.output import Bar
from s3gateway.manage.output import Output


def test_a_bar_shows_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("s3gateway.manage.output.time.monotonic", lambda: clock[0])
    bar = Bar(8 * 1024**2, "bytes", drawn=False)
    clock[0] += 2
    bar.moved(2 * 1024**2)
    assert bar.line() == f"[{'#' * 8}{'.' * 22}]  25%, 1.0 MiB/s, 0:00:06 left"
    bar.moved(100 * 1024**2)  # more than was foreseen
    assert "] 100%" in bar.line()


def test_nothing_is_drawn_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Output(as_json=False).bar(10, "images") as bar:
        bar.moved(10)
    assert capsys.readouterr().err == ""


def test_a_bar_is_drawn_and_wiped_off(capsys: pytest.CaptureFixture[str]) -> None:
    with Bar(10, "images", drawn=True) as bar:
        bar.moved(5)
    shown = capsys.readouterr().err
    assert "50%" in shown
    assert shown.endswith("\r\x1b[K")


def test_a_failure_is_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json", "--config-file", "/nowhere.conf", "check"]) == 2
    printed = capsys.readouterr()
    assert "/nowhere.conf" in json.loads(printed.out)["error"]
    assert "/nowhere.conf" in printed.err


def test_a_result_that_is_not_complete_is_one_document_nevertheless(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = Output(as_json=True)
    output.result([{"a": 1}], ("a",), "one row")
    output.failure("two could not be looked at")
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {"rows": [{"a": 1}], "summary": "one row"}
    assert "two could not be looked at" in printed.err


@pytest.mark.parametrize(
    "words",
    [
        ["gc"], ["check"], ["copy"], ["migrate"], ["verify"], ["metrics"],
        ["locations", "audit"], ["locations", "scrub"],
    ],
)  # fmt: skip
def test_every_command_explains_itself(
    capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([*words, "--help"])
    assert stopped.value.code == 0
    assert f"usage: s3gateway-manage {' '.join(words)}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [[], ["burn"], ["verify"], ["verify", "--all", "--image", "x"], ["copy", "x"]],
)
def test_a_wrong_command_line(words: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 2


def test_metrics_need_a_directory(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    assert main(["metrics"]) == 2
    assert "PROMETHEUS_MULTIPROC_DIR" in capsys.readouterr().err

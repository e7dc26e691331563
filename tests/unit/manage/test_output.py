# SPDX-License-Identifier: Apache-2.0
"""What is printed for people and for programs."""

from __future__ import annotations

import importlib.metadata
import json
import pathlib
import re
import subprocess
import sys
import threading

import pytest

from s3gateway.manage import main
from s3gateway.manage.output import Output
from s3gateway.manage.output import sized
from s3gateway.manage.progress import Bar
from tests.support import schema


def test_a_bar_shows_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("s3gateway.manage.progress.time.monotonic", lambda: clock[0])
    bar = Bar(8 * 1024**2, "bytes", drawn=False)
    clock[0] += 2
    bar.moved(2 * 1024**2)
    assert bar.line() == f"[{'#' * 8}{'.' * 22}]  25%, 1.0 MiB/s, 0:00:06 left"
    bar.moved(100 * 1024**2)  # more than was foreseen
    assert "] 100%" in bar.line()


def test_nothing_is_drawn_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Output().bar(10, "images") as bar:
        bar.moved(10)
    assert capsys.readouterr().err == ""


def test_a_bar_is_drawn_and_wiped_off(capsys: pytest.CaptureFixture[str]) -> None:
    with Bar(10, "images", drawn=True) as bar:
        bar.moved(5)
    shown = capsys.readouterr().err
    assert "50%" in shown
    assert shown.endswith("\r\x1b[K")


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1.0 KiB"),
        (3 * 1024**3 // 2, "1.5 GiB"),
        (2048 * 1024**4, "2048.0 TiB"),
    ],
)
def test_sizes_for_people(count: int, text: str) -> None:
    assert sized(count) == text


@pytest.mark.parametrize(
    "words",
    [
        ["--json", "--config-file", "/nowhere.conf", "check"],
        ["--config-file", "/nowhere.conf", "check", "--json"],
        ["--config-file", "/nowhere.conf", "--format", "json", "check"],
        ["--config-file", "/nowhere.conf", "locations", "audit", "--format=json"],
        ["--config-file", "/nowhere.conf", "locations", "--json", "audit"],
    ],
)
def test_a_failure_is_json_wherever_json_is_asked_for(
    capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert main(words) == 2
    printed = capsys.readouterr()
    document = schema.valid(json.loads(printed.out))
    assert "/nowhere.conf" in document["error"]
    assert (document["schema"], document["rows"]) == (1, [])
    assert "/nowhere.conf" in printed.err


def test_a_result_that_is_not_complete_is_one_document_nevertheless(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = Output("json")
    output.command = "gc"
    output.result([{"a": 1}], ("a",), "one row", {"found": 1})
    output.failure("two could not be looked at")
    output.finish()
    printed = capsys.readouterr()
    document = json.loads(printed.out)
    for name in ("started_at", "finished_at"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", document.pop(name))
    assert document == {
        "schema": 1,
        "command": "gc",
        "counts": {"found": 1},
        "rows": [{"a": 1}],
        "summary": "one row",
        "error": "two could not be looked at",
    }
    assert "two could not be looked at" in printed.err


def test_rows_are_counted_by_their_state(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output("json")
    rows = [{"state": state} for state in ("ok", "error", "ok")]
    output.result(rows, ("state",), "three rows")
    output.finish()
    counts = json.loads(capsys.readouterr().out)["counts"]
    assert counts == {"ok": 2, "error": 1}


def test_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"key_id": None, "locations": 3, "more": "not shown"}]
    output = Output()
    output.result(rows, ("key_id", "locations"), "three locations")
    output.finish()
    assert capsys.readouterr().out.splitlines() == [
        "key id  locations",
        "(none)  3",
        "three locations",
    ]


def test_a_long_cell_does_not_move_the_columns_of_other_rows(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [{"found": "x" * 500, "detail": "a"}, {"found": "short", "detail": "b"}]
    output = Output()
    output.result(rows, ("found", "detail"), "two rows")
    output.finish()
    long, short = capsys.readouterr().out.splitlines()[1:3]
    assert long.endswith("x  a")
    assert short.index("b") < 80


def test_csv_has_all_keys_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"more": {"a": 1}, "key_id": "a,b", "locations": 3}]
    output = Output("csv")
    output.result(rows, ("key_id", "locations"), "three locations")
    output.finish()
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        "key_id,locations,more",
        '"a,b",3,"{""a"": 1}"',
    ]
    assert "three locations" in printed.err


def test_a_form_that_there_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["check", "--format", "xml"], ["--format", "xml", "check"]):
        with pytest.raises(SystemExit) as stopped:
            main(words)
        assert stopped.value.code == 2
        assert "xml" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0
    printed = capsys.readouterr().out.strip()
    assert printed == importlib.metadata.version("s3gateway")


@pytest.mark.parametrize(
    "words",
    [
        ["gc"], ["check"], ["copy"], ["migrate"], ["verify"], ["metrics"],
        ["locations", "audit"], ["locations", "scrub"],
        ["locations", "seal"], ["locations", "unseal"],
        ["face-key", "add"], ["face-key", "list"], ["face-key", "remove"],
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
    [[], ["burn"], ["verify", "--limit", "0"], ["gc", "--limit"], ["copy", "x"]],
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


def test_metrics_as_a_document(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: pathlib.Path,
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    assert main(["metrics", "--json"]) == 0
    document = schema.valid(json.loads(capsys.readouterr().out))
    assert document["counts"]["samples"] == len(document["rows"])


def test_metrics_are_served_until_ctrl_c(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: pathlib.Path,
) -> None:
    def wait(self: threading.Event) -> None:
        raise KeyboardInterrupt

    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    monkeypatch.setattr(
        "prometheus_client.start_http_server", lambda *args, **kwargs: None
    )
    monkeypatch.setattr("threading.Event.wait", wait)
    assert main(["metrics", "--listen", "127.0.0.1:9309"]) == 0
    assert "http://127.0.0.1:9309/metrics" in capsys.readouterr().err
    assert main(["metrics", "--listen", "9309"]) == 2
    assert "--listen: '9309' is not ADDRESS:PORT" in capsys.readouterr().err


def test_verify_of_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify"]) == 2
    assert "choose images" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["store", "command", "run", "all", "format", "delete"])
def test_a_store_may_be_called_as_an_argument_is(
    tmp_path: pathlib.Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "glance-api.conf"
    file.write_text(
        f"[DEFAULT]\nenabled_backends = {name}:s3\n"
        f"[glance_store]\ndefault_backend = {name}\n"
        f"[{name}]\ns3_store_host = http://127.0.0.1:9\ns3_store_bucket = images\n"
        "s3_store_access_key = access\ns3_store_secret_key = 0123456789abcdef\n"
        "[s3gateway]\nretry_time = 0\n"
    )
    words = [f"--config-file={file}", "check", "--no-write", f"--store={name}"]
    assert main(words) == 1
    assert f"store {name}" in capsys.readouterr().out


def test_who_reads_results_may_go() -> None:
    code = "import sys; from s3gateway.manage import main; sys.exit(main())"
    with subprocess.Popen(
        [sys.executable, "-Wignore", "-c", code, "completion", "bash", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 3

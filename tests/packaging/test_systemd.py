# SPDX-License-Identifier: Apache-2.0
"""The units of systemd: how much of the host they may touch, and what they run."""

from __future__ import annotations

import configparser
import pathlib
import re
import shlex
import shutil

import pytest

from s3gateway.manage import commands
from s3gateway.manage.main import FOUND
from s3gateway.manage.main import OK
from tests.packaging.conftest import ROOT
from tests.support.servers.processes import run

SYSTEMD = ROOT / "etc" / "systemd"
SERVICES = sorted(SYSTEMD.glob("*.service"))

#: "OK" begins at 1.0 and ends before 5.0; these have 1.3 and 1.6.
THRESHOLD = 2.0


def analyze(*arguments: str | pathlib.Path) -> str:
    """Run systemd-analyze, or leave the test out where there is none."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("no systemd-analyze: apt-get install systemd")
    return run([program, *arguments], check=False).stdout


def unit(*files: pathlib.Path) -> configparser.RawConfigParser:
    """Return a unit; of a setting that is written more than once, the last."""
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    for file in files:
        parser.read_string(file.read_text(), str(file))
    return parser


def command(*drop_ins: str) -> list[str]:
    """Return what s3gateway-gc.service runs, as systemd expands it."""
    variables: dict[str, str] = {}
    files = [SYSTEMD / "s3gateway-gc.service"]
    files += [SYSTEMD / "s3gateway-gc.service.d" / name for name in drop_ins]
    for file in files:
        for word in shlex.split(unit(file)["Service"].get("Environment", "")):
            name, _, value = word.partition("=")
            variables[name] = value
    start = unit(*files)["Service"]["ExecStart"]
    return re.sub(r"\$(\w+)", lambda found: variables[found[1]], start).split()


@pytest.mark.parametrize("service", SERVICES, ids=lambda path: path.name)
def test_how_much_a_service_may_touch(service: pathlib.Path) -> None:
    said = analyze("security", "--offline=true", "--no-pager", service)
    found = re.search(r"Overall exposure level for \S+ ([\d.]+) (\w+)", said)
    assert found, said
    print(found[0])
    assert found[2] in {"OK", "SAFE", "PERFECT"}
    assert float(found[1]) <= THRESHOLD, said


def test_the_figure_is_that_of_the_unit(tmp_path: pathlib.Path) -> None:
    """Without the hardening it is far above the threshold."""
    text = (SYSTEMD / "s3gateway-api.service").read_text()
    bare = tmp_path / "bare.service"
    bare.write_text(re.sub(r"(?m)^(Protect|Private|Restrict|System|Cap).*\n", "", text))
    said = analyze("security", "--offline=true", "--no-pager", bare)
    assert float(re.findall(r"exposure level for \S+ ([\d.]+)", said)[0]) > THRESHOLD


def test_the_timer_names_its_service() -> None:
    timer = SYSTEMD / "s3gateway-gc.timer"
    assert timer.with_suffix(".service") in SERVICES
    assert unit(timer)["Timer"]["OnCalendar"]
    said = analyze("calendar", unit(timer)["Timer"]["OnCalendar"])
    assert "Next elapse" in said


@pytest.mark.parametrize(
    ("drop_ins", "delete", "good"),
    [
        ((), False, [OK, FOUND]),
        (("delete.conf",), True, [OK]),
        (("standalone.conf",), False, [OK, FOUND]),
        (("delete.conf", "standalone.conf"), True, [OK]),
    ],
)
def test_what_the_timer_runs(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    drop_ins: tuple[str, ...],
    delete: bool,
    good: list[int],
) -> None:
    """It shows until it is told to collect, and finding something is no failure.

    The command line is one that ``s3gateway-manage`` has.
    """
    program, *arguments = command(*drop_ins)
    assert program == "s3gateway-manage"
    named = "--config-file=/etc/s3gateway/s3gateway.conf"
    assert (named in arguments) is ("standalone.conf" in drop_ins)
    shipped = ROOT / "etc" / "s3gateway" / "s3gateway.conf"
    monkeypatch.setenv("HOME", str(tmp_path))
    words = [
        f"--config-file={shipped}" if word == named else word for word in arguments
    ]
    parsed = commands.parse(words).command
    assert parsed.name == "gc"
    assert parsed.delete is delete
    files = [SYSTEMD / "s3gateway-gc.service"]
    files += [SYSTEMD / "s3gateway-gc.service.d" / name for name in drop_ins]
    codes = unit(*files)["Service"]["SuccessExitStatus"].split()
    assert [OK, *map(int, codes)] == good


def test_users_and_files_are_those_of_the_units() -> None:
    service = unit(SYSTEMD / "s3gateway-api.service")["Service"]
    users = (ROOT / "etc" / "sysusers.d" / "s3gateway.conf").read_text()
    (user,) = re.findall(r"(?m)^u (\S+)", users)
    assert service["User"] == service["Group"] == user
    files = (ROOT / "etc" / "tmpfiles.d" / "s3gateway.conf").read_text()
    lines = [line.split() for line in files.splitlines() if not line.startswith("#")]
    assert {tuple(line[3:5]) for line in lines} == {("root", user)}
    modes = {line[1]: line[2] for line in lines}
    configuration, metrics = shlex.split(service["Environment"])
    assert modes[configuration.partition("=")[2]] == "0640"
    assert modes["/etc/s3gateway"] == "0750"
    assert metrics == f"PROMETHEUS_MULTIPROC_DIR=/run/{service['RuntimeDirectory']}"

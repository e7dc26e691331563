# SPDX-License-Identifier: Apache-2.0
"""What a command leaves behind is found, told and ended."""

from __future__ import annotations

import pathlib
import re
import signal
import subprocess
import sys
import time

import psutil
import pytest

from tests.support import leftovers

WATCHED = (sys.executable, "-m", "tests.support.leftovers")
ROOT = pathlib.Path(__file__).resolve().parents[3]

# A server that has left its parent, its session and its process group.
DAEMON = f"""
(setsid {sys.executable} -c '
import os, pathlib, socket, time
listener = socket.create_server(("127.0.0.1", 0))
pathlib.Path(os.environ["TMPDIR"], "listens").touch()
time.sleep(600)' < /dev/null > /dev/null 2>&1 &)
until test -e $TMPDIR/listens; do sleep 0.05; done
rm $TMPDIR/listens
"""


def told(command: str, *, code: int) -> list[str]:
    """Run a shell command; return what it is said to have left."""
    done = subprocess.run(
        [*WATCHED, "sh", "-c", command],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    return [line for line in lines if line.startswith(leftovers.MARK)]


@pytest.mark.parametrize("code", [0, 3])
def test_nothing_is_left(code: int) -> None:
    """The exit code is the command's."""
    assert told(f"touch $TMPDIR/a; rm $TMPDIR/a; exit {code}", code=code) == []


def test_a_process_that_ends_by_itself() -> None:
    assert told("(sleep 1 &)", code=0) == []


def test_a_server_that_runs_on() -> None:
    (line,) = told(DAEMON, code=1)
    found = re.match(r"LEFT running: (\d+) .*, listens on \[\d+\]$", line)
    assert found, line
    assert not psutil.pid_exists(int(found[1]))


def test_a_file_that_lies_about() -> None:
    (line,) = told("touch $TMPDIR/forgotten $TMPDIR/uv-1.lock", code=1)
    assert re.match(r"LEFT lying about: /tmp/s3gw-\w+/forgotten", line)
    assert not pathlib.Path(line.split()[-1]).parent.exists()


def test_a_command_that_is_killed_within_a_line() -> None:
    assert len(told("touch $TMPDIR/forgotten; printf half; kill -9 $$", code=137)) == 1


def test_its_failure_says_more_than_what_it_left() -> None:
    assert len(told("touch $TMPDIR/forgotten; exit 4", code=4)) == 1


def test_pytest_itself_fails(tmp_path: pathlib.Path) -> None:
    """What dies with pytest is not there any more when pytest has ended."""
    module = tmp_path / "test_it.py"
    module.write_text(
        "import ctypes, signal, subprocess\n\n"
        "def die(): ctypes.CDLL(None).prctl(1, signal.SIGKILL)\n\n"
        "def test_it(): subprocess.Popen(['sleep', '600'], preexec_fn=die)\n"
    )
    words = f"{sys.executable} -m pytest -q -p tests.conftest -c /dev/null {module}"
    (line,) = told(f"{words} --rootdir={tmp_path}", code=1)
    assert re.match(r"LEFT running: \d+ sleep 600$", line)


def test_it_is_broken_off_as_by_ctrl_c() -> None:
    """So that what tidies up has the time to."""
    command = "trap 'echo tidied; exit 5' INT; echo begun; while :; do sleep 0.1; done"
    with subprocess.Popen(
        [*WATCHED, "sh", "-c", command], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        started = time.monotonic()
        process.send_signal(
            signal.SIGINT
        )  # is the command's own, if it is a terminal's
        process.terminate()
        assert process.stdout.read() == "tidied\n"
        assert process.wait() == 5
        assert time.monotonic() - started < 30

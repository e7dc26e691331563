# SPDX-License-Identifier: Apache-2.0
"""Runs a command, and reports what it leaves running, mounted or lying about.

That is an error of the command's, even if all else has succeeded::

    python -m tests.support.leftovers pytest tests/system

Processes are found by their parentage: one whose parent has ended becomes a child of
this process.  The command has its own directory for temporary files.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

import psutil

MARK = "LEFT "
"""With which a line about something that was left begins."""

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_ON_PURPOSE = ("pytest-of-", "uv-")  # pytest's for a look, and the locks of uv
_GRACE = 5.0  # seconds in which processes may end by themselves
_BREAK_OFF = 60.0  # seconds from SIGINT to SIGKILL


def main(command: list[str]) -> int:
    """Run a command; return its exit code, or 1 if it has left something."""
    _take_charge()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="s3gw-", dir="/tmp"))
    directory.chmod(0o711)  # PostgreSQL runs as a user of its own
    env = {**os.environ, "TMPDIR": str(directory)}
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # until there is a pid
    # SIGINT may be ignored here, as by all that a shell runs in the background
    pid = os.posix_spawnp(
        command[0], command, env, setsigmask=[], setsigdef=[signal.SIGINT]
    )
    signal.signal(signal.SIGTERM, lambda number, frame: _break_off(pid))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    code = _wait_for(pid)
    left = [f"running: {process}" for process in _end_processes()]
    left += [f"mounted: {mount}" for mount in _unmount(directory)]
    if os.environ.get("S3GATEWAY_KEEP"):
        print(f"kept: {directory}")
    else:
        left += [f"lying about: {path}" for path in _files(directory)]
        shutil.rmtree(directory)
    if left:
        print()  # a command that was killed may not have ended its last line
    for line in left:
        print(f"{MARK}{line}", flush=True)
    return code or int(bool(left))


def running() -> list[str]:
    """Describe the processes that this one, or one of them, has started."""
    return list(_described(psutil.Process().children(recursive=True)))


def _take_charge() -> None:
    """Adopt orphans, be told to end if the parent does, and outlive Ctrl-C."""
    libc = ctypes.CDLL(None, use_errno=True)
    for option, value in (
        (_PR_SET_CHILD_SUBREAPER, 1),
        (_PR_SET_PDEATHSIG, signal.SIGTERM),
    ):
        if libc.prctl(option, value, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl")
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _break_off(pid: int) -> None:
    """Let a command end as Ctrl-C does, and kill it if that takes long."""
    signal.signal(signal.SIGALRM, lambda number, frame: os.kill(pid, signal.SIGKILL))
    signal.alarm(int(_BREAK_OFF))
    os.kill(pid, signal.SIGINT)


def _wait_for(pid: int) -> int:
    """Wait for a child, and for the orphans that end before it.

    :return: the exit code, as a shell tells it
    """
    while True:
        ended, status = os.wait()
        if ended == pid:
            signal.alarm(0)
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _end_processes() -> list[str]:
    """Kill the processes that do not end by themselves, and describe them."""
    deadline = time.monotonic() + _GRACE
    while (left := psutil.Process().children(recursive=True)) and (
        time.monotonic() < deadline
    ):
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)
        time.sleep(0.05)
    described = list(_described(left))
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, timeout=_GRACE)
    return described


def _described(processes: list[psutil.Process]) -> Iterator[str]:
    """Yield what each process is, and the ports on which it listens."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            words = " ".join(" ".join(process.cmdline()).split()) or process.name()
            ports = {
                connection.laddr.port
                for connection in process.net_connections("inet")
                if connection.status == psutil.CONN_LISTEN
            }
            where = f", listens on {sorted(ports)}" if ports else ""
            yield f"{process.pid} {words[:120]}{where}"


def _unmount(directory: pathlib.Path) -> list[str]:
    """Unmount what is mounted below a directory, and say where that was."""
    lines = pathlib.Path("/proc/self/mounts").read_text().splitlines()
    places = [line.split()[1] for line in lines]
    left = [place for place in places if place.startswith(f"{directory}/")]
    for place in left:
        subprocess.run(["umount", "--lazy", place], check=True)
    return left


def _files(directory: pathlib.Path) -> list[pathlib.Path]:
    """Return what is in a directory that is not there on purpose."""
    found = sorted(directory.iterdir())
    return [path for path in found if not path.name.startswith(_ON_PURPOSE)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

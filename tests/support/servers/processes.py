# SPDX-License-Identifier: Apache-2.0
"""Server processes: started on 127.0.0.1, waited for, stopped by their pid."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pathlib
import secrets
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from collections.abc import Sequence

from tests.support import isolation

_PR_SET_PDEATHSIG = 1
_STOP_TIME = 20.0  # seconds until SIGKILL
_DYING = 2.0  # seconds that the last process may take after it
# Below those that Linux gives to outgoing connections (ip_local_port_range).
_PORTS = range(12000, 32768)
_LIBC = ctypes.CDLL(None)


class ServerFailed(Exception):
    """A server did not start, or died."""


class Server:
    """A process that serves a port; it dies with its parent."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | pathlib.Path],
        *,
        log: pathlib.Path,
        env: Mapping[str, str] | None = None,
        cwd: pathlib.Path | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._command = [str(word) for word in command]
        self._env = {**_environment(), **(env or {})}
        self._cwd = cwd
        self.process = self._started()

    def _started(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as output:
            return subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._env,
                cwd=self._cwd,
                preexec_fn=_die_with_parent,  # noqa: PLW1509  one call, no locks
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait_for_port(self, port: int, timeout: float = 60) -> None:
        """Wait until something listens on a port of 127.0.0.1."""
        self._wait(lambda: _connects(port), f"port {port}", timeout)

    def wait_for_url(self, url: str, timeout: float = 60) -> None:
        """Wait until a URL is answered, with whatever status below 500."""
        self._wait(lambda: _answers(url), url, timeout)

    def wait_for_path(self, path: pathlib.Path, timeout: float = 60) -> None:
        """Wait until a file or socket exists."""
        self._wait(path.exists, str(path), timeout)

    def wait_for_program(
        self, command: Sequence[str | pathlib.Path], timeout: float = 60
    ) -> None:
        """Wait until a program that asks the server succeeds."""
        name = pathlib.Path(command[0]).name
        self._wait(lambda: not run(command, check=False).returncode, name, timeout)

    def _wait(self, ready: object, what: str, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while not ready():  # type: ignore[operator]
            if self.process.poll() is not None:
                raise ServerFailed(f"{self.name} died:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise ServerFailed(
                    f"{self.name}: no {what} after {timeout} s:\n{self.tail()}"
                )
            time.sleep(0.05)

    def tail(self, lines: int = 40) -> str:
        """Return the end of the server's log."""
        text = self.log.read_text(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def ask_to_stop(self) -> None:
        """Let the server begin to stop; ``stop`` waits for it."""
        self.process.terminate()

    def stop(self) -> None:
        """Stop the server and whatever it started, by their process group."""
        if self.process.poll() is None:
            self.ask_to_stop()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(_STOP_TIME)
        self.kill()

    def kill(self) -> None:
        """Kill the server and whatever it started, as a power cut does."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        # A worker that is dying still has its listening sockets.
        deadline = time.monotonic() + _DYING
        with contextlib.suppress(ProcessLookupError):
            while time.monotonic() < deadline:
                os.killpg(self.process.pid, 0)
                time.sleep(0.01)

    def start_again(self) -> None:
        """Start a server that was killed, with the same command and log.

        It dies with the thread that starts it.
        """
        self.process = self._started()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody uses, and that nobody else is given.

    Of several test runs at once no two get the same, as each holds a name of the
    port until it ends.
    """
    while True:
        port = secrets.choice(_PORTS)
        with contextlib.suppress(OSError), socket.socket() as listener:
            listener.bind(("127.0.0.1", port))
            with socket.socket(socket.AF_UNIX) as name:
                name.bind(f"\0s3gateway-port-{port}")
                name.detach()
            return port


def run(
    command: Sequence[str | pathlib.Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: pathlib.Path | None = None,
    check: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; its output is in the error if it fails."""
    done = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**_environment(), **(env or {})},
        cwd=cwd,
        check=False,
    )
    if check and done.returncode:
        words = " ".join(str(word) for word in command)
        raise ServerFailed(f"{words}: exit code {done.returncode}\n{done.stdout}")
    return done


def _environment() -> dict[str, str]:
    """The environment of a program that is to find its own Python packages only."""
    return {
        name: value
        for name, value in isolation.environment().items()
        if not name.startswith("PYTHON")
    }


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _connects(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310
            return bool(answer.status < 500)
    except urllib.error.HTTPError as error:
        with error:
            return error.code < 500
    except OSError:
        return False

# SPDX-License-Identifier: Apache-2.0
"""The most memory that a process has had for a while."""

from __future__ import annotations

import pathlib


class Peak:
    """The most memory that a process has had since this was made."""

    def __init__(self, pid: int) -> None:
        self._proc = pathlib.Path("/proc") / str(pid)
        (self._proc / "clear_refs").write_text("5")  # proc(5): resets VmHWM
        self._idle = self._now("VmRSS")

    def over_idle(self) -> int:
        """Return it in bytes, less what the process had before."""
        return self._now("VmHWM") - self._idle

    def _now(self, name: str) -> int:
        for line in (self._proc / "status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
        raise AssertionError(name)

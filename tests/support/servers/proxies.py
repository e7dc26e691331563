# SPDX-License-Identifier: Apache-2.0
"""HAProxy in front of servers."""

from __future__ import annotations

import contextlib
import pathlib
import shutil
from collections.abc import Iterator

from tests.support.servers.processes import Server
from tests.support.servers.processes import run


@contextlib.contextmanager
def haproxy(config: pathlib.Path) -> Iterator[Server]:
    """Run HAProxy with a configuration against which it has nothing to say."""
    program = shutil.which("haproxy") or "/usr/sbin/haproxy"
    looked = run([program, "-c", "-f", config])
    assert "WARNING" not in looked.stdout
    log = config.with_suffix(".log")
    with Server("haproxy", [program, "-db", "-f", config], log=log) as server:
        yield server

# SPDX-License-Identifier: Apache-2.0
"""The S3 servers there are, by name."""

from __future__ import annotations

import contextlib
import pathlib

from tests.support.s3 import minio
from tests.support.s3 import moto
from tests.support.s3 import rgw
from tests.support.s3 import swift
from tests.support.s3 import versity
from tests.support.s3.s3server import S3Server
from tests.support.servers import environments

#: Which of them the default tier runs; the others belong to the full tier.
NAMES = ("swift", "moto", "rgw", "minio", "versity")
DEFAULT_TIER = ("swift",)


def missing(name: str) -> str:
    """Return what this machine lacks to run a server, empty if nothing."""
    needs = {"rgw": rgw.missing, "minio": minio.missing, "versity": versity.missing}
    return needs.get(name, str)()


def serving(
    name: str, directory: pathlib.Path
) -> contextlib.AbstractContextManager[S3Server]:
    """Run a server over an empty directory."""
    if name == "swift":
        return swift.serving(environments.bin_dir("swift"), directory)
    serve = {
        "moto": moto.serving,
        "rgw": rgw.serving,
        "minio": minio.serving,
        "versity": versity.serving,
    }
    return serve[name](directory)


def which_run(*, full: bool) -> str:
    """Return a line that says which servers are run, and why others are not.

    :param full: whether the full tier is run
    """
    run, not_run = [], []
    for name in NAMES:
        if not full and name not in DEFAULT_TIER:
            not_run.append(f"{name} (full tier)")
        elif reason := missing(name):
            not_run.append(f"{name} ({reason})")
        else:
            run.append(name)
    without = f"; not run: {', '.join(not_run)}" if not_run else ""
    return f"S3 servers that were run: memory, {', '.join(run)}{without}"

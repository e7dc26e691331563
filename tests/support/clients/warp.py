# SPDX-License-Identifier: Apache-2.0
"""MinIO's load program warp, built from its Go module, or named by the environment."""

from __future__ import annotations

import os
import pathlib

from tests.support.s3 import gobuild
from tests.support.s3.s3server import S3Server
from tests.support.servers.processes import ServerFailed
from tests.support.servers.processes import run

PROGRAM = gobuild.Program("warp", "github.com/minio/warp", "v1.1.3")
#: A program that was built elsewhere.
VARIABLE = "S3GATEWAY_WARP"


def program() -> tuple[pathlib.Path | None, str]:
    """Return the program, built if needed, or the reason why there is none."""
    if named := os.environ.get(VARIABLE):
        return pathlib.Path(named), ""
    reason = PROGRAM.missing()
    if not reason:
        try:
            return PROGRAM.build(), ""
        except ServerFailed:
            reason = "its Go module cannot be built here"
    return None, f"{reason}; {VARIABLE} names a program"


def mixed(
    warp: pathlib.Path, server: S3Server, directory: pathlib.Path, **options: str
) -> str:
    """Run ``warp mixed``; return its report.

    :param directory: for what it writes beside its report
    :param options: its options; an underscore stands for a dot or a dash
    """
    words = [f"--{_NAMES.get(name, name)}={value}" for name, value in options.items()]
    printed = run(
        [
            warp,
            "mixed",
            f"--host={server.endpoint.partition('://')[2]}",
            f"--access-key={server.access_key}",
            f"--secret-key={server.secret_key}",
            f"--benchdata={directory / 'warp'}",
            "--no-color",
            *words,
        ],
        cwd=directory,
    ).stdout
    report = printed[printed.index("Report: ") :]
    return report.partition("\nClearing ")[0]


_NAMES = {
    "size": "obj.size",
    "get": "get-distrib",
    "stat": "stat-distrib",
    "put": "put-distrib",
    "delete": "delete-distrib",
}

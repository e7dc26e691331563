# SPDX-License-Identifier: Apache-2.0
"""s3gateway-manage, run beside a Glance with its configuration."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import subprocess
from collections.abc import Mapping
from typing import Any

from tests.support import schema
from tests.support.servers.cloud import Cloud
from tests.support.servers.glance import Glance
from tests.support.servers.glance import ini
from tests.support.servers.processes import run


@dataclasses.dataclass(frozen=True)
class Result:
    """What a command said with ``--json``; ``text`` is all that it printed."""

    code: int
    rows: list[dict[str, Any]]
    summary: str
    text: str

    def about(self, word: str) -> list[dict[str, Any]]:
        """Return the rows in which a word is the value of a column."""
        return [row for row in self.rows if word in row.values()]


@dataclasses.dataclass(frozen=True)
class Manage:
    """The command of a cloud.

    :ivar glance: whose configuration it reads
    """

    cloud: Cloud
    glance: Glance

    def words(
        self, *words: str, config: Mapping[str, Mapping[str, str]] | None = None
    ) -> list[str | pathlib.Path]:
        """Return the command line.

        :param config: options by section, over those of Glance's file
        """
        files = [self.glance.directory / "glance-api.conf"]
        if config:
            text = ini(config)
            files.append(self.cloud.write(f"more-{abs(hash(text))}.conf", text))
        named = [f"--config-file={file}" for file in files]
        return [self.cloud.bin_dir / "s3gateway-manage", *named, *words]

    def __call__(
        self,
        *words: str,
        config: Mapping[str, Mapping[str, str]] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Result:
        line = self.words("--json", *words, config=config)
        return parsed(run(line, check=False, env=env))

    def text(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run it without ``--json``."""
        return run(self.words(*words), check=False)


def user(url: str, token: str) -> dict[str, str]:
    """Return the variables of a user of the image API at a URL."""
    return {"OS_AUTH_TYPE": "admin_token", "OS_ENDPOINT": url, "OS_TOKEN": token}


def parsed(done: subprocess.CompletedProcess[str]) -> Result:
    """Find the JSON among what Glance logged."""
    decoder = json.JSONDecoder()
    found: dict[str, Any] = {}
    for line_start in [0, *(i + 1 for i, c in enumerate(done.stdout) if c == "\n")]:
        if done.stdout.startswith("{\n", line_start):
            found = schema.valid(decoder.raw_decode(done.stdout, line_start)[0])
    return Result(
        done.returncode,
        found.get("rows", []),
        found.get("summary", found.get("error", "")),
        done.stdout,
    )

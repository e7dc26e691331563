# SPDX-License-Identifier: Apache-2.0
"""Programs of the client environments, and files for them to upload."""

from __future__ import annotations

import json
import pathlib
import random
import shlex
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.clients.api import Api
from tests.support.s3.memory import MIB
from tests.support.servers import environments
from tests.support.servers.keystone import ALICE
from tests.support.servers.keystone import Keystone
from tests.support.servers.processes import run
from tests.support.servers.standalone import Gateway

Command = Callable[..., str]


@pytest.fixture
def alice(identified: Gateway, keystone: Keystone) -> Api:
    return Api(identified.url, keystone.token(ALICE))


@pytest.fixture
def openstack(identified: Gateway, keystone: Keystone) -> Command:
    """Run the openstack CLI as alice and return what it prints."""
    return _command("openstack", keystone)


@pytest.fixture
def glance_cli(identified: Gateway, keystone: Keystone) -> Command:
    """Run the glance CLI as alice and return what it prints."""
    return _command("glance", keystone)


def _command(name: str, keystone: Keystone) -> Command:
    program = environments.bin_dir("clients") / name

    def command(*words: str, terminal: bool = False, check: bool = True) -> str:
        """Run it; on a terminal it shows bars, and believes its input to be empty."""
        line = [str(program), *words]
        if terminal:
            line = ["script", "-qec", shlex.join(line), "/dev/null"]
        return run(line, env=keystone.environment(ALICE), check=check).stdout

    return command


@pytest.fixture
def disk(tmp_path: pathlib.Path) -> pathlib.Path:
    """A disk image: larger than one part, of bytes that do not repeat."""
    path = tmp_path / "disk.raw"
    path.write_bytes(random.Random(6).randbytes(11 * MIB + 7))  # noqa: S311
    return path


def document(output: str) -> Any:
    """Return the JSON that a client prints after whatever else it says."""
    return json.loads(output[output.index("{") :])

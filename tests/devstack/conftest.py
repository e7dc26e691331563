# SPDX-License-Identifier: Apache-2.0
"""DevStack's functions: those of a tree that is there, or the stand-in."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable
from collections.abc import Iterator

import pytest

from tests.devstack.stack import Stack
from tests.support.servers import environments
from tests.support.servers import web

MakeStack = Callable[..., Stack]

# DevStack's iniset would squeeze, expand or interpolate it.
SECRET = 'two  blanks/*$HOME\\n&"%(x)s=@'

DEVSTACK_DIR = os.environ.get("DEVSTACK_DIR", "")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say that DevStack itself was not there."""
    if not DEVSTACK_DIR:
        terminalreporter.line(
            "the DevStack plugin ran with a stand-in for DevStack's functions alone: "
            "DEVSTACK_DIR names a tree of openstack/devstack to run it with"
        )


@pytest.fixture(params=["stand-in", "devstack"] if DEVSTACK_DIR else ["stand-in"])
def devstack(request: pytest.FixtureRequest) -> pathlib.Path | None:
    """DevStack's tree; none for the stand-in."""
    return pathlib.Path(DEVSTACK_DIR) if request.param == "devstack" else None


@pytest.fixture
def stack(tmp_path: pathlib.Path, devstack: pathlib.Path | None) -> MakeStack:
    """Makes a stack with settings."""
    etc = environments.bin_dir("glance-33").parent / "etc" / "glance"

    def make(**settings: str) -> Stack:
        return Stack(tmp_path / "stack", devstack, etc, **settings)

    return make


@pytest.fixture
def external(stack: MakeStack, listener: str) -> Stack:
    """A stack with an S3 server that is there already."""
    return stack(
        S3GATEWAY_S3_SERVER="external",
        S3GATEWAY_S3_HOST=listener,
        S3GATEWAY_S3_ACCESS_KEY="EXTERNALKEY",
        S3GATEWAY_S3_SECRET_KEY=SECRET,
        S3GATEWAY_S3_REGION="eu-central-1",
    )


@pytest.fixture
def listener() -> Iterator[str]:
    """The URL of a server that answers every GET with 200, and no more."""
    with web.serving(web.Fine) as url:
        yield url

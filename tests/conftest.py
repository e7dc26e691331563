# SPDX-License-Identifier: Apache-2.0
"""The servers that system tests share; started when a test first asks."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import tempfile
from collections.abc import Callable
from collections.abc import Iterator

import pytest

from tests.support import isolation
from tests.support import leftovers
from tests.support.faults.tally import TALLY
from tests.support.s3 import catalog
from tests.support.s3.s3server import S3Server
from tests.support.servers import environments
from tests.support.servers import keystone as keystones
from tests.support.servers import mariadb
from tests.support.servers.cloud import Cloud
from tests.support.servers.keystone import Keystone
from tests.support.servers.mariadb import MariaDB
from tests.support.servers.standalone import Gateway

FULL_TIER = bool(os.environ.get("S3GATEWAY_FULL"))
S3_SERVER = os.environ.get("S3GATEWAY_SERVER", "swift")
SERVERS = pytest.StashKey[str]()
LEFT_OUT = pytest.StashKey[int]()
CLOUDS = pytest.StashKey[dict[int, Cloud]]()
RUNNING = pytest.StashKey[list[str]]()


def pytest_configure() -> None:
    """Keep what the machine's owner has configured from all tests."""
    isolation.apply()


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Leave out the full tier unless it is asked for."""
    if any("contract" in item.path.parts for item in items):
        config.stash[SERVERS] = catalog.which_run(full=FULL_TIER)
    left_out = [item for item in items if item.get_closest_marker("full")]
    if FULL_TIER or not left_out:
        return
    config.stash[LEFT_OUT] = len(left_out)
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.hookimpl(trylast=True)  # when all fixtures have ended, if that was broken off
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail if a server still runs: it would only end because this process does."""
    if running := leftovers.running():
        session.config.stash[RUNNING] = running
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say what was left, what was left out, and what the random runs have found."""
    for process in config.stash.get(RUNNING, []):
        terminalreporter.line(f"{leftovers.MARK}running: {process}")
    if line := config.stash.get(SERVERS, ""):
        terminalreporter.line(line)
    if tally := config.stash.get(TALLY, None):
        terminalreporter.section("random faults")
        for line in tally.report():
            terminalreporter.line(line)
    if count := config.stash.get(LEFT_OUT, 0):
        terminalreporter.line(
            f"{count} tests of the full tier were left out: make test-full runs them"
        )


@pytest.fixture(scope="session")
def workspace() -> Iterator[pathlib.Path]:
    """A directory for all servers, kept for a look when S3GATEWAY_KEEP is set.

    Where temporary files go must have a short path, as sockets are among them.
    """
    directory = pathlib.Path(tempfile.mkdtemp(prefix="s3gw-"))
    yield directory
    if not os.environ.get("S3GATEWAY_KEEP"):
        shutil.rmtree(directory)


@pytest.fixture(scope="session")
def s3(workspace: pathlib.Path) -> Iterator[S3Server]:
    """An S3 server: Swift's, or the one that S3GATEWAY_SERVER names."""
    if reason := catalog.missing(S3_SERVER):
        pytest.skip(f"{S3_SERVER} was not run: {reason}")
    with catalog.serving(S3_SERVER, workspace / S3_SERVER) as server:
        yield server


@pytest.fixture(scope="session")
def database(workspace: pathlib.Path) -> Iterator[MariaDB]:
    """A MariaDB."""
    with mariadb.serving(workspace / "mariadb") as server:
        yield server


@pytest.fixture(scope="session")
def clouds(
    pytestconfig: pytest.Config,
    workspace: pathlib.Path,
    database: MariaDB,
    s3: S3Server,
) -> Iterator[Callable[[int], Cloud]]:
    """Glances by release."""
    made = pytestconfig.stash.setdefault(CLOUDS, {})
    with contextlib.ExitStack() as stack:

        def cloud(release: int) -> Cloud:
            if release not in made:
                directory = workspace / f"glance-{release}"
                made[release] = Cloud(release, directory, database, s3, stack)
            return made[release]

        yield cloud
        for each in made.values():
            each.ask_to_stop()


@pytest.fixture(scope="module", autouse=True)
def _no_more_than_needed(pytestconfig: pytest.Config) -> Iterator[None]:
    """What modules have configured for themselves is not kept until the end."""
    yield
    for each in pytestconfig.stash.get(CLOUDS, {}).values():
        each.stop_special_ones()


@pytest.fixture(scope="session")
def keystone(workspace: pathlib.Path, database: MariaDB) -> Iterator[Keystone]:
    """A Keystone."""
    with keystones.serving(
        environments.bin_dir("keystone"),
        workspace / "keystone",
        database.create("keystone"),
        image_url="http://127.0.0.1:9",
    ) as server:
        yield server


@pytest.fixture(scope="session")
def identified(clouds: Callable[[int], Cloud], keystone: Keystone) -> Gateway:
    """A stand-alone gateway and the Glance behind it, both with Keystone.

    It is the image endpoint of the catalog.
    """
    gateway = clouds(33).identified(keystone, {"service_user": keystone.section()})
    keystone.endpoint(gateway.url)
    return gateway


@pytest.fixture
def cloud(clouds: Callable[[int], Cloud]) -> Cloud:
    """The newest release."""
    return clouds(33)

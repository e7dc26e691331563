# SPDX-License-Identifier: Apache-2.0
"""A cloud of their own for commands that look at all images and all objects."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator

import pytest

from tests.support.s3.s3server import S3Server
from tests.support.servers.cloud import Cloud
from tests.support.servers.manage import Manage
from tests.support.servers.mariadb import MariaDB


@pytest.fixture(scope="session")
def managed(
    workspace: pathlib.Path, database: MariaDB, s3: S3Server
) -> Iterator[Manage]:
    """The command beside a Glance in whose cloud uploads are dead after a second."""
    with contextlib.ExitStack() as stack:
        home = workspace / "managed"
        cloud = Cloud(33, home, database, s3, stack, name="managed")
        config = {"s3gateway": {"claim_grace": "1"}}
        yield Manage(cloud, cloud.glance(gateway=True, config=config))

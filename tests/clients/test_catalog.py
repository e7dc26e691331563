# SPDX-License-Identifier: Apache-2.0
"""The commands that let Keystone's catalog name a gateway, as their page has them."""

from __future__ import annotations

import pathlib
import shlex
from collections.abc import Iterator

import pytest

from tests.support import readme
from tests.support.servers import environments
from tests.support.servers.keystone import ADMIN
from tests.support.servers.keystone import ALICE
from tests.support.servers.keystone import Keystone
from tests.support.servers.keystone import User
from tests.support.servers.processes import run
from tests.support.servers.standalone import Gateway

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "source" / "install" / "standalone.rst"
OLD = "http://127.0.0.1:9"  # nothing answers there


@pytest.fixture
def catalog(identified: Gateway, keystone: Keystone) -> Iterator[Keystone]:
    """A Keystone whose catalog does not name the gateway yet."""
    keystone.endpoint(OLD)
    yield keystone
    keystone.endpoint(identified.url)


def typed(keystone: Keystone, user: User, line: str) -> str:
    program, *words = shlex.split(line)
    path = environments.bin_dir("clients") / program
    return run([path, *words], env=keystone.environment(user)).stdout


def test_the_catalog_names_the_gateway(catalog: Keystone, identified: Gateway) -> None:
    [commands] = readme.blocks("5. Let the catalog name it", PAGE)
    show, change = commands.splitlines()
    listed = typed(catalog, ADMIN, f"{show} -f value -c ID -c URL").splitlines()
    assert {line.split()[1] for line in listed} == {OLD}
    change = change.replace("https://image.example.org:9292", identified.url)
    for line in listed:
        typed(catalog, ADMIN, change.replace("<endpoint>", line.split()[0]))
    shown = typed(catalog, ADMIN, show)
    assert OLD not in shown
    assert shown.count(identified.url) == len(listed)
    typed(catalog, ALICE, "openstack image list")

# SPDX-License-Identifier: Apache-2.0
"""Each surface leaks without the filter, and not with it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.leaks.conftest import Table
from tests.leaks.surfaces import SURFACES
from tests.leaks.surfaces import Surface
from tests.leaks.surfaces import subject
from tests.support.hidden import hidden
from tests.support.servers.cloud import Cloud

RELEASES = (30, pytest.param(32, marks=pytest.mark.full), 33)


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("surface", SURFACES, ids=str)
def test_surface(
    clouds: Callable[[int], Cloud], leaks: Table, release: int, surface: Surface
) -> None:
    cloud = clouds(release)
    secrets = hidden(cloud)
    stock = secrets.found_in_answer(surface.ask(subject(cloud, gateway=False)))
    gateway = secrets.found_in_answer(surface.ask(subject(cloud, gateway=True)))
    leaks[surface.name, release] = (summary(stock), summary(gateway))
    if surface.leaks:
        assert "host" in stock
        assert ("secret_key" in stock) is (release <= 32)
    assert not gateway


def summary(found: list[str]) -> str:
    if "secret_key" in found:
        return "secret key"
    return "host, bucket" if found else "nothing"

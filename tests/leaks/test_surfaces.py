# SPDX-License-Identifier: Apache-2.0
"""Each surface leaks without the filter, and not with it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.leaks.conftest import Table
from tests.leaks.secrets import Hidden
from tests.leaks.surfaces import ADMIN
from tests.leaks.surfaces import ALICE
from tests.leaks.surfaces import BOB
from tests.leaks.surfaces import SERVICE
from tests.leaks.surfaces import SURFACES
from tests.leaks.surfaces import Subject
from tests.leaks.surfaces import Surface
from tests.support.api import Api
from tests.support.cloud import Cloud

RELEASES = (30, pytest.param(32, marks=pytest.mark.full), 33)


def hidden(cloud: Cloud) -> Hidden:
    """Return what the location URIs of a cloud's store ``fast`` give away."""
    return Hidden(
        access_key=cloud.s3.access_key,
        secret_key=cloud.s3.secret_key,
        host=cloud.s3.endpoint.partition("//")[2],
        bucket=cloud.bucket("fast"),
    )


def subject(cloud: Cloud, *, gateway: bool) -> Subject:
    """Return a public image that stock wrote, seen with or without the filter."""
    stock = cloud.glance(gateway=False).url
    alice, admin = Api(stock, ALICE), Api(stock, ADMIN)
    image_id = alice.create(name="public")
    assert alice.upload(image_id, b"written by stock").status == 204
    change = {"op": "replace", "path": "/visibility", "value": "public"}
    assert admin.patch(image_id, change).status == 200
    uri = admin.show(image_id)["locations"][0]["url"]
    url = cloud.glance(gateway=gateway).url
    users = [Api(url, user) for user in (ALICE, BOB, ADMIN, SERVICE)]
    return Subject(image_id, uri, *users)


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

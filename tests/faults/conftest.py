# SPDX-License-Identifier: Apache-2.0
"""A Glance behind a proxy that makes S3 fail, and an image in it."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator

import pytest

from tests.support import tiers
from tests.support.faults.through import Through
from tests.support.faults.through import through_proxy
from tests.support.people import ALICE
from tests.support.servers.cloud import Cloud


@pytest.fixture(scope="module", params=tiers.but(["auto"], ["auto", "api"]))
def through(
    request: pytest.FixtureRequest, clouds: Callable[[int], Cloud]
) -> Iterator[Through]:
    """A Glance with the gateway; modules with other options have their own."""
    options = {"registration": request.param}
    with through_proxy(clouds(33), ALICE, options=options) as found:
        yield found


@pytest.fixture
def image_id(through: Through) -> Iterator[str]:
    """An image that can be deleted in the end, without anything being left."""
    image_id = through.api.create()
    yield image_id
    through.proxy.clear()
    through.api.delete(image_id)
    assert not through.left(image_id)

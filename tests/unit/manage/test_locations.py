# SPDX-License-Identifier: Apache-2.0
"""Which images ``locations scrub`` lists and has rewritten."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import pytest

from s3gateway.errors import GatewayError
from s3gateway.glance.api import Image
from s3gateway.glance.api import image_from
from s3gateway.glance.releases import Traits
from s3gateway.manage import locations
from s3gateway.manage.output import Output
from tests.support import schema


class Glance:
    """Images, some with a key in a location, which Glance 33 takes out when asked.

    :ivar shown: the images that were shown one by one
    :ivar stubborn: those whose key stays
    """

    def __init__(self, release: int = 33) -> None:
        self.traits = Traits(credentials_in_uris=release < 33)
        self.shown: list[str] = []
        self.stubborn: set[str] = set()
        self.leaking = [str(uuid.uuid4()) for _ in range(3)]
        self._clean = str(uuid.uuid4())

    def images(self) -> Iterator[Image]:
        for image_id in (self._clean, *self.leaking):
            user = "KEYID:a-secret-key-of-20@" if image_id in self.leaking else ""
            url = f"s3://{user}s3.example:9000/fast/{image_id}"
            place = {"url": url, "metadata": {"store": "fast"}}
            shown = {"id": image_id, "status": "active", "locations": [place]}
            yield image_from(shown)

    def show(self, image_id: str) -> None:
        self.shown.append(image_id)
        if image_id not in self.stubborn:
            self.leaking.remove(image_id)


@pytest.fixture
def output() -> Output:
    output = Output("json")
    output.command = "locations scrub"
    return output


@pytest.fixture
def listed(output: Output, capsys: pytest.CaptureFixture[str]) -> Callable[[], Any]:
    """Return the images of the result."""

    def images() -> list[str]:
        output.finish()
        document = schema.valid(json.loads(capsys.readouterr().out))
        return [row["image"] for row in document["rows"]]

    return images


@pytest.mark.parametrize("release", [32, 33])
def test_a_list_changes_nothing(
    output: Output, listed: Callable[[], Any], release: int
) -> None:
    glance: Any = Glance(release)
    assert not locations.show(glance, output)
    assert listed() == glance.leaking
    assert glance.shown == []


def test_all_are_rewritten(output: Output, listed: Callable[[], Any]) -> None:
    glance: Any = Glance()
    assert locations.scrub(glance, output)
    assert listed() == []
    assert len(glance.shown) == 3
    assert locations.show(glance, output)


def test_what_is_beyond_the_limit_is_no_problem(
    output: Output, listed: Callable[[], Any]
) -> None:
    glance: Any = Glance()
    first, *others = glance.leaking
    assert locations.scrub(glance, output, limit=1)
    assert glance.shown == [first]
    assert listed() == others


def test_what_keeps_its_key_is_one(output: Output) -> None:
    glance: Any = Glance()
    glance.stubborn = {glance.leaking[0]}
    assert not locations.scrub(glance, output, limit=1)


def test_an_older_glance_needs_the_keys(output: Output) -> None:
    glance: Any = Glance(32)
    with pytest.raises(GatewayError, match="Upgrade first"):
        locations.scrub(glance, output)
    assert glance.shown == []

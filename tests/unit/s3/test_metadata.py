# SPDX-License-Identifier: Apache-2.0
"""Headers of new objects."""

from __future__ import annotations

import pytest

from s3gateway.config.stores import Writing
from s3gateway.s3 import metadata

ABOUT = {"image-id": "an-id"}


@pytest.mark.parametrize("about", [None, {}, ABOUT])
@pytest.mark.parametrize("with_more", [True, False])
def test_every_object_says_whose_it_is(
    about: dict[str, str] | None, *, with_more: bool
) -> None:
    writing = Writing(glance_id="ours", metadata=with_more)
    whose = {"glance-id": "ours"}
    more = about if about and with_more else {}
    assert metadata.parameters(writing, about) == {"Metadata": {**whose, **more}}
    headers = metadata.headers(writing, about)
    assert headers == {f"x-amz-meta-{n}": v for n, v in {**whose, **more}.items()}
    assert metadata.glance_id(headers) == "ours"


def test_without_an_id_nothing_is_said() -> None:
    assert metadata.headers(Writing(), None) == {}
    assert metadata.glance_id({}) == ""


@pytest.mark.parametrize(
    "name", ["glance-id", "Glance-Id", "x-amz-meta-glance-id", "X-Amz-Meta-Glance-Id"]
)
def test_servers_spell_it_as_they_like(name: str) -> None:
    assert metadata.glance_id({"other": "x", name: "ours"}) == "ours"

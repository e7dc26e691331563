# SPDX-License-Identifier: Apache-2.0
"""The options of the directory of hot images."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

from s3gateway.config import hot
from s3gateway.config.stores import Section
from s3gateway.errors import ConfigError

GIB = 1024**3


class Options:
    """Values of options."""

    def __init__(self, **values: Any) -> None:
        self.download_piece = 8
        self.hot_images = "0"
        self.hot_images_dir = "/var/cache/s3gateway"
        self.hot_images_age = 86400.0
        vars(self).update(values)


def read(**values: Any) -> hot.HotImagesSettings:
    return hot.read(Section("s3gateway", Options(**values)))


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("20GiB", 20 * GIB), ("1.5TiB", 1536 * GIB), (str(GIB), GIB)],
)
def test_a_size(text: str, size: int) -> None:
    assert read(hot_images=text).size == size


def test_where_it_is() -> None:
    found = read(hot_images="1GiB", hot_images_dir="/srv/hot", hot_images_age=60.0)
    assert (found.directory, found.age) == (pathlib.Path("/srv/hot"), 60.0)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"hot_images": "much"}, r"hot_images: not a size; set one like 20GiB, or 0"),
        ({"hot_images": "-5GiB"}, r"hot_images: not a size"),
        ({"hot_images": "20"}, "hot_images: too small"),
        ({"hot_images": "15MiB"}, "hot_images: too small"),
        ({"hot_images_dir": "hot"}, "hot_images_dir: not an absolute path"),
    ],
    ids=str,
)
def test_what_cannot_be_used(values: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        read(**values)

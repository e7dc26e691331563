# SPDX-License-Identifier: Apache-2.0
"""How much S3 is asked to copy in one request."""

from __future__ import annotations

from typing import Any
from typing import cast

import pytest

from s3gateway.http.ranges import Span
from s3gateway.manage.server_copy import duplicate
from s3gateway.s3.bucket import Source
from s3gateway.s3.store import S3Store
from s3gateway.store import About
from tests.support.s3.memory import store_settings

MIB = 1024**2
GIB = 1024**3
MOST = 5 * GIB  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html


class Server:
    """A store that only notes how much it is told to copy at once."""

    upload_id = "upload"

    def __init__(self, large: int, part: int) -> None:
        self.settings = store_settings(large_object_size=large, part_size=part)
        self.at_once: list[int] = []

    def copy(self, *words: Any) -> None:
        if isinstance(words[0], str):  # a whole object
            self.at_once.append(0)
        else:
            span: Span = words[2]
            self.at_once.append(span.length)

    def begin_copy(self, key: str, about: About) -> Server:
        return self

    def commit(self) -> None:
        pass


@pytest.mark.parametrize(
    ("size", "large", "part", "most"),
    [
        (7 * MIB, 8 * MIB, 5 * MIB, 0),
        (9 * MIB, 8 * MIB, 5 * MIB, 9 * MIB),
        (MOST - 1, 10 * GIB, 5 * MIB, 0),
        (MOST + 1, 10 * GIB, 5 * MIB, 40 * MIB),
        (20 * GIB, 8 * MIB, GIB, MOST),
    ],
)
def test_no_request_copies_more_than_s3_does(
    size: int, large: int, part: int, most: int
) -> None:
    server = Server(large, part)
    source: Source = ("bucket", "key")
    moved: list[int] = []
    duplicate(
        cast("S3Store", server),
        source,
        "copy",
        size=size,
        about={},
        began=lambda upload_id: None,
        moved=moved.append,
    )
    assert max(server.at_once) == most
    assert sum(moved) == size

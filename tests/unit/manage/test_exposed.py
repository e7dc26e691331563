# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest

from s3gateway.manage.exposed import Exposed

URL = "s3://s3.example:9000/fast/key"
SHOWN = ["GET /v2/images shows where the data is in S3"]


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ({"locations": [7, {"url": URL}]}, SHOWN),
        ({"images": [None, {"direct_url": URL}]}, SHOWN),
        ({"images": {"url": URL}, "locations": "none"}, []),
        ([URL], []),
        (URL, []),
    ],
    ids=str,
)
def test_an_answer_of_any_shape_is_looked_at(
    document: object, found: list[str]
) -> None:
    """The service that is tested may be another one than Glance."""
    exposed = Exposed([], "http://image.example:9292")
    exposed.look("GET /v2/images", {}, json.dumps(document).encode())
    assert exposed.found() == found

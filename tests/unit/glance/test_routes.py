# SPDX-License-Identifier: Apache-2.0
"""Paths of Glance's API."""

from __future__ import annotations

import pytest

from s3gateway.glance import routes


@pytest.mark.parametrize(
    ("method", "path", "image_id"),
    [
        ("DELETE", "/v2/images/an-id", "an-id"),
        ("POST", "/v2/images/an-id/actions/deactivate", "an-id"),
        ("POST", "/v2/images/an-id/actions/reactivate", None),
        ("GET", "/v2/images/an-id", None),
        ("DELETE", "/v2/images/an-id/tags/a", None),
        ("DELETE", "/v2/stores/fast/an-id", "an-id"),
        ("GET", "/v2/stores/fast/an-id", None),
        ("POST", "/v2/stores/fast/an-id", None),
        ("DELETE", "/v2/images", None),
    ],
)
def test_which_requests_take_data_from_everybody(
    method: str, path: str, image_id: str | None
) -> None:
    assert routes.withdrawn(method, path) == image_id

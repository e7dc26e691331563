# SPDX-License-Identifier: Apache-2.0
"""Which PATCH requests take locations from an image."""

from __future__ import annotations

import io
import json
from typing import Any
from typing import cast

import pytest

from s3gateway.glance.api import Image
from s3gateway.http.wsgi import Environ
from s3gateway.locations.documents import Masks
from s3gateway.locations.requests import TAKES_FROM
from s3gateway.locations.requests import Guard

NEW = "application/openstack-images-v2.1-json-patch"
OLD = "application/openstack-images-v2.0-json-patch"
RBD = {"url": "rbd://a/b/c/d", "metadata": {}}


class Permissive:
    """A Glance with one image without locations, and a policy that allows all."""

    def show(self, environ: Environ, image_id: str) -> Image:
        return Image(image_id, "active", 1, "", "", "", (), {})

    def may_manage_locations(self, environ: Environ, image: Image) -> bool:
        return True


def taken_from(patch: Any, kind: str = NEW) -> str | None:
    """Return the image that a PATCH takes locations from."""
    them = cast("Any", Permissive())
    masks = Masks({}, cast("Any", None))
    guard = Guard(them, masks, them, passing=["rbd"], with_credentials=False)
    body = json.dumps(patch).encode()
    admitted = guard.admit({
        "REQUEST_METHOD": "PATCH",
        "PATH_INFO": "/v2/images/an-id",
        "CONTENT_TYPE": kind,
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_X_IDENTITY_STATUS": "Confirmed",
        "wsgi.input": io.BytesIO(body),
    })  # fmt: skip
    return admitted.get(TAKES_FROM)


@pytest.mark.parametrize(
    "change",
    [
        {"op": "remove", "path": "/locations/0"},
        {"op": "replace", "path": "/locations", "value": []},
        {"op": "replace", "path": "/ locations", "value": [RBD]},
    ],
    ids=str,
)
def test_a_location_goes(change: dict[str, Any]) -> None:
    name = {"op": "replace", "path": "/name", "value": "new"}
    assert taken_from([name, change]) == "an-id"


def test_a_location_goes_in_the_old_form() -> None:
    assert taken_from([{"remove": "/locations/0"}], OLD) == "an-id"


@pytest.mark.parametrize(
    "change",
    [
        {"op": "add", "path": "/locations/-", "value": RBD},
        {"op": "remove", "path": "/a_property"},
        {"op": "replace", "path": "/name", "value": "locations"},
    ],
    ids=str,
)
def test_no_location_goes(change: dict[str, Any]) -> None:
    assert taken_from([change]) is None

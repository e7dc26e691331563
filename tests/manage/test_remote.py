# SPDX-License-Identifier: Apache-2.0
"""s3gateway-manage beside a stand-alone gateway, whose Glance is elsewhere."""

from __future__ import annotations

import pytest

from tests.support.clients.api import Api
from tests.support.people import ADMIN
from tests.support.people import ALICE
from tests.support.people import BOB
from tests.support.servers.glance import Config
from tests.support.servers.manage import Manage

pytestmark = pytest.mark.full

DATA = b"of an image\n" * 1000


def config(managed: Manage, token: str) -> Config:
    """Return what makes the Glance that is there a remote one."""
    user = {"auth_type": "admin_token", "endpoint": "http://127.0.0.1:9"}
    return {
        "s3gateway": {"glance_url": managed.cloud.glance(gateway=False).url},
        "service_user": {**user, "token": token} if token else {},
    }


def test_a_remote_glance_is_asked_as_the_service_user(managed: Manage) -> None:
    api = Api(managed.glance.url, ALICE)
    image_id = api.create()
    assert api.upload(image_id, DATA).status == 204
    remote = config(managed, ADMIN)
    verified = managed("verify", "--deep", "--image", image_id, config=remote)
    assert verified.code == 0, verified.text
    copied = managed("copy", image_id, "--to", "cheap", config=remote)
    assert copied.code == 0, copied.text
    assert api.show(image_id)["stores"] == "fast,cheap"
    checked = managed("check", config=remote)
    assert checked.code == 0, checked.text
    assert "its API lists images" in [r["found"] for r in checked.about("Glance")]


@pytest.mark.parametrize(
    ("token", "words"),
    [(BOB, "not an admin to Glance"), ("", "[service_user] auth_type: not set")],
)
def test_who_does_not_see_all_images_collects_nothing(
    managed: Manage, token: str, words: str
) -> None:
    """A user who is no admin does not see the images of others."""
    api = Api(managed.glance.url, ALICE)
    image_id = api.create()
    assert api.upload(image_id, DATA).status == 204
    done = managed("gc", "--delete", config=config(managed, token))
    assert done.code == 2, done.text
    assert words in done.summary
    assert api.download(image_id).body == DATA

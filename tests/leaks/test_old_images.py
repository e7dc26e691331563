# SPDX-License-Identifier: Apache-2.0
"""Location URIs of all ages and forms, as they stand in Glance's database."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.support.clients.api import Api
from tests.support.hidden import Hidden
from tests.support.people import ADMIN
from tests.support.people import ALICE
from tests.support.servers.cloud import Cloud

DATA = b"written by stock before the gateway came"

# Written by other operators with other keys; all of it must disappear.
OLD = Hidden(
    "OLDACCESSKEY", "old/secret+key=@with:odd%2Fsigns", "old.example:8443", "oldbucket"
)
FORMS = {
    "s3": "s3://{0.access_key}:{0.secret_key}@{0.host}/{0.bucket}/{1}",
    "s3+http": "s3+http://{0.access_key}:{0.secret_key}@{0.host}/{0.bucket}/{1}",
    "s3+https with a path": (
        "s3+https://{0.access_key}:{0.secret_key}@{0.host}/base/{0.bucket}/{1}"
    ),
    "without credentials": "s3+https://{0.host}/{0.bucket}/{1}",
    "no key at all": "s3://{0.access_key}:{0.secret_key}@{0.host}/{0.bucket}",
    "upper case": "S3://{0.access_key}:{0.secret_key}@{0.host}/{0.bucket}/{1}",
}
OTHERS = [
    "rbd://fsid/images/volume/snap",
    "cinder://a-volume",
    "file:///var/lib/glance/images/s3/s3",
    "http://mirror.example/s3://x.img",
    "swift+https://account:user:key@swift.example/v1/container/object",
]


def stored(cloud: Cloud, **metadata: str) -> str:
    """Have stock store an image; return its id."""
    api = cloud.api(ALICE, gateway=False)
    image_id = api.create()
    assert api.upload(image_id, DATA).status == 204
    return image_id


def rewrite(cloud: Cloud, image_id: str, url: str, metadata: dict[str, str]) -> None:
    """Change an image's location in Glance's database."""
    text, meta = (value.replace("'", "''") for value in (url, json.dumps(metadata)))
    cloud.sql(
        f"UPDATE image_locations SET value='{text}', meta_data='{meta}' "  # noqa: S608
        f"WHERE image_id='{image_id}'"
    )


@pytest.mark.parametrize("release", [30, 33])
@pytest.mark.parametrize(
    "metadata", [{"store": "fast"}, {"store": "renamed"}, {}], ids=str
)
@pytest.mark.parametrize("form", FORMS)
def test_no_form_is_shown(
    clouds: Callable[[int], Cloud], release: int, metadata: dict[str, str], form: str
) -> None:
    cloud = clouds(release)
    image_id = stored(cloud)
    rewrite(cloud, image_id, FORMS[form].format(OLD, image_id), metadata)
    for path in (f"/v2/images/{image_id}", f"/v2/images?id=in:{image_id}"):
        for token in (ALICE, ADMIN):
            answer = Api(cloud.glance(gateway=True).url, token).request("GET", path)
            assert answer.status == 200
            assert b"locations" in answer.body
            assert not OLD.found_in_answer(answer)


@pytest.mark.parametrize("url", OTHERS)
def test_other_schemes_stay_byte_for_byte(cloud: Cloud, url: str) -> None:
    image_id = stored(cloud)
    rewrite(cloud, image_id, url, {"store": "local"})
    path = f"/v2/images/{image_id}"
    stock = cloud.api(ALICE, gateway=False).request("GET", path)
    gateway = cloud.api(ALICE, gateway=True).request("GET", path)
    assert gateway.body == stock.body


@pytest.mark.parametrize("release", [30, 33])
@pytest.mark.parametrize("metadata", [{"store": "fast"}, {}], ids=str)
def test_an_image_of_a_rotated_key_is_read(
    clouds: Callable[[int], Cloud], release: int, metadata: dict[str, str]
) -> None:
    """What stock wrote with the old key downloads; the database is not touched."""
    cloud = clouds(release)
    image_id = stored(cloud)
    host = cloud.s3.endpoint.partition("//")[2]
    uri = f"s3://OLDKEY:old/secret+key@{host}/{cloud.bucket('fast')}/{image_id}"
    rewrite(cloud, image_id, uri, metadata)
    api = cloud.api(ALICE, gateway=True)
    assert api.download(image_id).body == DATA
    assert api.download(image_id, Range="bytes=3-5").body == DATA[3:6]
    if release <= 32:
        found = cloud.sql(
            f"SELECT value FROM image_locations WHERE image_id='{image_id}'"  # noqa: S608
        )
        assert found.strip() == uri


def test_with_the_old_key_gone_glance_30_cannot_delete(
    clouds: Callable[[int], Cloud],
) -> None:
    """Glance up to 32 deletes with the key in the URI: 500, and the image stays."""
    cloud = clouds(30)
    image_id = stored(cloud)
    host = cloud.s3.endpoint.partition("//")[2]
    uri = f"s3://OLDKEY:old-secret@{host}/{cloud.bucket('fast')}/{image_id}"
    rewrite(cloud, image_id, uri, {"store": "fast"})
    api = cloud.api(ALICE, gateway=True)
    assert api.delete(image_id).status == 500
    assert api.show(image_id)["status"] == "active"
    assert api.download(image_id).body == DATA

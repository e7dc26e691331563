# SPDX-License-Identifier: Apache-2.0
"""s3gateway-manage verify, on images that are whole and on others."""

from __future__ import annotations

import pytest

from tests.support.clients.api import Api
from tests.support.people import ALICE
from tests.support.servers.manage import Manage

DATA = b"of an image\n" * 1000
NOWHERE = {
    "fast": {"s3_store_host": "http://127.0.0.1:9"},
    "s3gateway": {"retry_time": "0", "connect_timeout": "1"},
}


@pytest.fixture
def images(managed: Manage) -> dict[str, str]:
    """Images by what has become of their objects."""
    api, cloud = Api(managed.glance.url, ALICE), managed.cloud
    client, bucket = cloud.s3.client(), cloud.bucket("fast")
    found = {}
    for fate in ("whole", "gone", "short", "other"):
        found[fate] = api.create()
        assert api.upload(found[fate], DATA).status == 204
    keys = {
        fate: next(k for k in cloud.objects("fast") if k.startswith(image_id))
        for fate, image_id in found.items()
    }
    client.delete_object(Bucket=bucket, Key=keys["gone"])
    client.put_object(Bucket=bucket, Key=keys["short"], Body=DATA[:-1])
    client.put_object(Bucket=bucket, Key=keys["other"], Body=DATA[::-1])
    found["file"] = api.create()
    answer = api.upload(found["file"], DATA, X_Image_Meta_Store="local")
    assert answer.status == 204
    return found


def test_verify(managed: Manage, images: dict[str, str]) -> None:
    shallow = managed("verify", "--all")
    assert shallow.code == 1, shallow.text
    bad = {row["image"] for row in shallow.rows if row["state"] == "bad"}
    assert bad & set(images.values()) == {images["gone"], images["short"]}
    assert managed.cloud.s3.endpoint.partition("//")[2] not in str(shallow.rows)

    named = [word for image in images.values() for word in ("--image", image)]
    fast = ("--concurrency", "3", "--bandwidth", "100MiB")
    deep = managed("verify", "--deep", *named, *fast)
    assert deep.code == 1, deep.text
    codes = {row["image"]: (row["state"], row["code"]) for row in deep.rows}
    assert codes == {
        images["whole"]: ("ok", "ok"),
        images["gone"]: ("bad", "missing"),
        images["short"]: ("bad", "size"),
        images["other"]: ("bad", "digest"),
        images["file"]: ("skipped", "not_in_s3"),
    }
    [other] = deep.about(images["other"])
    assert other["detail"] == "its digest is another one"


def test_a_run_in_parts(managed: Manage, images: dict[str, str]) -> None:
    named = [word for image in images.values() for word in ("--image", image)]
    dry = managed("verify", "--deep", "--dry-run", *named, "--bandwidth", "1MiB")
    assert (dry.code, dry.rows) == (0, []), dry.text
    assert f"{4 * len(DATA) / 1024:.1f} KiB read; at least 0:00:00" in dry.summary
    first, *others = sorted(images.values())
    one = managed("verify", *named, "--limit", "1")
    assert {row["image"] for row in one.rows} == {first}
    assert f"go on with --after {first}" in one.summary
    rest = managed("verify", *named, "--after", first, "--since", "1d")
    assert {row["image"] for row in rest.rows} == set(others)
    assert "go on" not in rest.summary
    some = managed("verify", *named, "--sample", "40%")
    assert len({row["image"] for row in some.rows}) == 2


@pytest.mark.full
def test_what_cannot_be_looked_at_is_not_called_whole(
    managed: Manage, images: dict[str, str]
) -> None:
    words = ("verify", "--image", images["whole"])
    down = managed(*words, config=NOWHERE)
    assert down.code == 3, down.text
    assert "could not be looked at" in down.text
    assert down.rows[0]["code"] == "unreachable"
    assert managed.text(*words).returncode == 0

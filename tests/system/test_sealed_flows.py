# SPDX-License-Identifier: Apache-2.0
"""What Glance does with data by itself goes through the face, and none is left over."""

from __future__ import annotations

import functools
import http.server
import json
import pathlib
import random
import time
import uuid
from collections.abc import Callable
from collections.abc import Iterator

import pytest

from tests.support import tiers
from tests.support.clients.api import Api
from tests.support.people import ADMIN
from tests.support.people import ALICE
from tests.support.servers import sealed
from tests.support.servers import web
from tests.support.servers.cloud import Cloud
from tests.support.servers.glance import Config
from tests.support.servers.glance import merged
from tests.support.servers.identity import token
from tests.support.servers.processes import run
from tests.support.servers.sealed import Sealed
from tests.support.servers.standalone import FACE_KEYS

MIB = 1024**2
SERVICE = token("nova", "service", "service", "admin", "member", "reader")
DATA = random.Random(25).randbytes(9 * MIB + 5)  # noqa: S311

CONFIG: Config = {
    "DEFAULT": {"cache_prefetcher_interval": "1", "do_secure_hash": "true"},
    "import_filtering_opts": {"allowed_hosts": "[127.0.0.1]", "allowed_ports": "[]"},
}


@pytest.fixture(params=tiers.but((33,), (30, 31, 32, 33)), scope="module")
def ground(
    request: pytest.FixtureRequest, clouds: Callable[[int], Cloud]
) -> Iterator[Sealed]:
    cloud, flavor = clouds(request.param), "keystone+cachemanagement"
    with sealed.serving(cloud, flavor=flavor, glance_config=CONFIG) as found:
        yield found


@pytest.fixture
def website(tmp_path: pathlib.Path) -> Iterator[str]:
    """The URL of a web server that has an image."""
    (tmp_path / "disk.raw").write_bytes(DATA)
    handler = functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=str(tmp_path)
    )
    with web.serving(handler) as url:
        yield url


def soon(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


def uploaded(api: Api) -> str:
    image_id = api.create()
    assert api.upload(image_id, DATA).status == 204
    return image_id


def cached(api: Api, image_id: str) -> bool:
    images = api.request("GET", "/v2/cache").json()["cached_images"]
    return image_id in [image["image_id"] for image in images]


def test_a_web_download(ground: Sealed, website: str) -> None:
    api = ground.users(ALICE)
    image_id = api.create()
    method = {"name": "web-download", "uri": f"{website}/disk.raw"}
    asked = {"method": method, "stores": ["fast"]}
    sent = api.send_json("POST", f"/v2/images/{image_id}/import", asked)
    assert sent.status == 202
    api.wait_until(image_id, lambda image: image["status"] == "active")
    assert ground.cloud.kept(image_id) == [image_id]  # written by Glance's driver
    assert api.download(image_id).body == DATA
    assert api.delete(image_id).status == 204
    assert ground.cloud.kept(image_id) == []


def test_the_cache(ground: Sealed) -> None:
    """A miss is read through the face; a hit is served while S3 is away."""
    api = ground.stock(ALICE)
    image_id = uploaded(ground.users(ALICE))
    assert api.download(image_id).body == DATA
    assert cached(ground.stock(ADMIN), image_id)
    ground.proxy.down()
    try:
        assert api.download(image_id).body == DATA
    finally:
        ground.proxy.up()
    assert api.delete(image_id).status == 204


def test_the_prefetcher(ground: Sealed) -> None:
    image_id, admin = uploaded(ground.users(ALICE)), ground.stock(ADMIN)
    assert admin.request("PUT", f"/v2/cache/{image_id}").status == 202
    soon(lambda: cached(admin, image_id), "not prefetched")
    ground.proxy.down()
    try:
        assert ground.stock(ALICE).download(image_id).body == DATA
    finally:
        ground.proxy.up()
    assert ground.users(ALICE).delete(image_id).status == 204


def test_a_location_that_is_added_is_hashed(ground: Sealed) -> None:
    """Glance reads all of the data for it, some time after the answer.

    Glance 31 asks the service token for the role, other releases the user's.
    """
    bucket, key = ground.bucket(), str(uuid.uuid4())
    ground.cloud.s3.client().put_object(Bucket=bucket, Key=key, Body=DATA)
    api = ground.stock(ALICE)
    image_id = api.create()
    user = "" if ground.cloud.release == 33 else f"{':'.join(FACE_KEYS)}@"
    host = ground.url.removeprefix("http://")
    url = f"s3://{user}{host}/{bucket}/{key}"
    path = f"/v2/images/{image_id}/locations"
    location = json.dumps({"url": url, "validation_data": {}}).encode()
    kind = {"Content_Type": "application/json", "X_Service_Token": SERVICE}
    answer = ground.stock(SERVICE).request("POST", path, location, **kind)
    assert answer.status == 202, answer.body
    api.wait_until(image_id, lambda image: bool(image.get("os_hash_value")))
    image = api.show(image_id)
    assert (image["status"], image["size"]) == ("active", len(DATA))
    assert ground.users(ALICE).download(image_id).body == DATA
    assert api.delete(image_id).status == 204
    assert ground.cloud.kept(key) == []


def test_the_scrubber(ground: Sealed) -> None:
    """With delayed_delete the data stays until it has run."""
    ours = {"delayed_delete": "true", "scrub_time": "0"}
    config = merged(ground.glance.spec.config, {"DEFAULT": ours})
    glance = ground.cloud.glance(gateway=False, config=config)
    api = Api(glance.url, ALICE)
    image_id = uploaded(ground.users(ALICE))
    assert api.delete(image_id).status == 204
    assert ground.cloud.kept(image_id)
    program = ground.cloud.bin_dir / "glance-scrubber"
    run([program, f"--config-file={glance.directory / 'glance-api.conf'}"])
    soon(lambda: ground.cloud.kept(image_id) == [], "not scrubbed")

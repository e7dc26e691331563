# SPDX-License-Identifier: Apache-2.0
"""The stand-alone gateway: its start, its paths, its versions."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

from tests.support.clients.api import OCTETS
from tests.support.clients.api import Api
from tests.support.servers import standalone
from tests.support.servers.cloud import Cloud
from tests.support.servers.glance import Config
from tests.support.servers.glance import merged
from tests.support.servers.identity import token
from tests.support.servers.processes import ServerFailed
from tests.support.servers.standalone import GatewaySpec

ALICE = token("alice", "acme", "member", "reader")
DATA = b"some data" * 1000
PATCH = "application/openstack-images-v2.1-json-patch"


def start(cloud: Cloud, tmp_path: pathlib.Path, **changes: Any) -> str:
    """Start a gateway with other options and return its log; stop it again."""
    url = cloud.glance(gateway=False).url
    config: Config = merged(cloud.stores(), {"s3gateway": {"glance_url": url}})
    spec = GatewaySpec(config=merged(config, changes))
    with standalone.serving(spec, tmp_path / "gateway") as running:
        return running.log


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"DEFAULT": {"enabled_backends": "fast:s3, new:s3"}},
            "Glance does not know the store 'new', it has cheap, fast, local",
        ),
        (
            {"glance_store": {"default_backend": "cheap"}},
            "the default is 'cheap' here and 'fast' in Glance",
        ),
    ],
)
def test_stores_that_are_not_glances_stop_the_start(
    cloud: Cloud, tmp_path: pathlib.Path, changes: Config, text: str
) -> None:
    new = {**cloud.stores()["fast"], "s3_store_bucket": "another"}
    with pytest.raises(ServerFailed) as failed:
        start(cloud, tmp_path, new=new, **changes)
    log = str(failed.value)
    assert f"ConfigError: [DEFAULT] enabled_backends: {text}" in log
    assert cloud.s3.secret_key not in log


def test_a_glance_that_does_not_say_its_stores_does_not_stop_the_start(
    cloud: Cloud, tmp_path: pathlib.Path
) -> None:
    log = start(cloud, tmp_path, s3gateway={"glance_url": "http://127.0.0.1:9"})
    assert "could not be compared with Glance's" in log


def spellings(api: Api, image_id: str) -> list[tuple[str, dict[str, str]]]:
    """Return requests for an image that Glance takes for the same."""
    media = "application/vnd.openstack.images-"
    return [
        (f"/v2/images/{image_id}", {}),
        (f"/v2.0/images/{image_id}", {}),
        (f"/v2.15/images/{image_id}", {}),
        (f"//v2.9//images/{image_id}", {}),
        (f"/images/{image_id}", {"Accept": f"{media}v2.7"}),
        (f"/images/{image_id}", {"Accept": f"{media}v2"}),
    ]


def test_every_spelling_of_the_version_goes_through_the_gateway(cloud: Cloud) -> None:
    gateway = Api(cloud.standalone().url, ALICE)
    location = b'[{"op": "add", "path": "/locations/-", "value": {"url": "%s"}}]'
    for index in range(6):
        image_id = gateway.create()
        path, fields = spellings(gateway, image_id)[index]
        body = location.replace(b"%s", b"http://192.0.2.1/x")
        answer = gateway.request("PATCH", path, body, Content_Type=PATCH, **fields)
        assert (answer.status, b"locations are invisible" in answer.body) == (403, True)
        file = f"{path}/file"
        answer = gateway.request("PUT", file, DATA, Content_Type=OCTETS, **fields)
        assert answer.status == 204
        answer = gateway.request("GET", file, Range="bytes=5-8", **fields)
        assert (answer.status, answer.body) == (206, DATA[5:9])
        shown = gateway.request("GET", path, **fields).json()
        assert shown["locations"][0]["url"] == f"s3://fast/{image_id}"


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("/", ""),
        ("/versions", ""),
        ("/v2", ""),
        ("/v2/", ""),
        ("/v2.0", ""),
        ("/v2.99/images", ""),
        ("/v1/images", ""),
        ("/v3", ""),
        ("/images", "application/vnd.openstack.images-v2.99"),
        ("/images", "application/vnd.openstack.images-v2"),
        ("/v2/images", "application/vnd.openstack.images-v2"),
    ],
)
def test_versions_are_answered_as_stock_does(
    cloud: Cloud, path: str, accept: str
) -> None:
    """Absolute URLs name the host that was asked, and thus the gateway."""
    fields = {"Accept": accept} if accept else {}
    fields["Host"] = "image.example.org:9292"
    stock = Api(cloud.glance(gateway=False).url, ALICE)
    gateway = Api(cloud.standalone().url, ALICE)
    expected = stock.request("GET", path, **fields)
    found = gateway.request("GET", path, **fields)
    assert found.status == expected.status
    if path != "/images":
        assert found.body == expected.body
    for name in ("Content-Type", "Location"):
        assert found.headers.get(name) == expected.headers.get(name)


def test_a_gateway_under_a_path(cloud: Cloud) -> None:
    proxied = {"oslo_middleware": {"enable_proxy_headers_parsing": "true"}}
    running = cloud.standalone(GatewaySpec(prefix="/image"), config=proxied)
    api = Api(running.url, ALICE)
    image_id = api.create()
    assert api.upload(image_id, DATA).status == 204
    assert api.download(image_id).body == DATA
    for path in ("/", "/versions"):
        versions = api.request("GET", path).json()["versions"]
        for version in versions:
            assert version["links"][0]["href"].startswith(f"{running.url}/v2"), version
    outside = Api(running.url.removesuffix("/image"), ALICE)
    assert outside.request("GET", "/v2/images").status == 404
    assert outside.request("GET", "/imagery/v2/images").status == 404


def test_public_endpoint_comes_first(cloud: Cloud) -> None:
    public = {"DEFAULT": {"public_endpoint": "https://cloud.example.org/image"}}
    api = Api(cloud.standalone(config=public).url, ALICE)
    versions = api.request("GET", "/").json()["versions"]
    links = {version["links"][0]["href"] for version in versions}
    assert links == {"https://cloud.example.org/image/v2/"}

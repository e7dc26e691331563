# SPDX-License-Identifier: Apache-2.0
"""Several gateways behind HAProxy and behind nginx, by the published examples."""

from __future__ import annotations

import contextlib
import pathlib
import re
import shutil
import threading
from collections.abc import Iterator

import pytest
import trustme

from tests.support.clients.api import Api
from tests.support.clients.api import in_chunks
from tests.support.s3.memory import MIB
from tests.support.servers import proxies
from tests.support.servers.cloud import Cloud
from tests.support.servers.glance import ROOT
from tests.support.servers.glance import Glance
from tests.support.servers.identity import token
from tests.support.servers.processes import Server
from tests.support.servers.processes import free_port
from tests.support.servers.standalone import GatewaySpec

pytestmark = pytest.mark.full

ALICE = token("alice", "acme", "member", "reader")
DATA = bytes(range(251)) * (11 * MIB // 251)
SNIPPET = ROOT / "docs" / "source" / "snippets" / "haproxy-filter.cfg"
PROXIED = {"oslo_middleware": {"enable_proxy_headers_parsing": "true"}}


def gateways(cloud: Cloud) -> list[str]:
    """Return the hosts and ports of two gateways before the same Glance."""
    specs = [
        GatewaySpec(config={"s3gateway": {"claim_grace": str(grace)}})
        for grace in (300, 301)  # anything that makes them two
    ]
    running = [cloud.standalone(spec, config=PROXIED) for spec in specs]
    return [each.url.removeprefix("http://") for each in running]


def placed(text: str, port: int, servers: list[str]) -> str:
    """Return an example with these servers and this port in it."""
    text = text.replace("192.0.2.11:9292", servers[0])
    text = text.replace("192.0.2.12:9292", servers[1])
    return re.sub(r"(bind 0.0.0.0:|listen )9292", rf"\g<1>{port}", text)


@contextlib.contextmanager
def haproxy(cloud: Cloud, directory: pathlib.Path) -> Iterator[Api]:
    port = free_port()
    example = (ROOT / "etc" / "haproxy" / "s3gateway.cfg").read_text()
    config = directory / "haproxy.cfg"
    config.write_text(placed(example, port, gateways(cloud)))
    with proxies.haproxy(config) as server:
        server.wait_for_url(f"http://127.0.0.1:{port}/healthcheck")
        yield Api(f"http://127.0.0.1:{port}", ALICE)


@contextlib.contextmanager
def nginx(cloud: Cloud, directory: pathlib.Path) -> Iterator[Api]:
    port = free_port()
    example = (ROOT / "etc" / "nginx" / "s3gateway.conf").read_text()
    (directory / "s3gateway.conf").write_text(placed(example, port, gateways(cloud)))
    temporary = "\n".join(
        f"{name}_temp_path {directory}/temp;"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = directory / "nginx.conf"
    config.write_text(
        f"daemon off;\npid {directory}/pid;\nerror_log stderr;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{temporary}\ninclude {directory}/s3gateway.conf;\n"
        "}\n"
    )
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    with Server(
        "nginx",
        [program, "-e", "stderr", "-p", directory, "-c", config],
        log=directory / "nginx.log",
    ) as server:
        server.wait_for_url(f"http://127.0.0.1:{port}/healthcheck")
        yield Api(f"http://127.0.0.1:{port}", ALICE)


@pytest.fixture(params=[haproxy, nginx])
def proxied(
    request: pytest.FixtureRequest, cloud: Cloud, tmp_path: pathlib.Path
) -> Iterator[Api]:
    """A client of two gateways behind a proxy."""
    with request.param(cloud, tmp_path) as api:
        yield api


def test_images_go_both_ways(proxied: Api) -> None:
    for body in (DATA, in_chunks(DATA)):
        image_id = proxied.create()
        assert proxied.upload(image_id, body).status == 204
        assert proxied.download(image_id).body == DATA
        part = proxied.download(image_id, Range="bytes=100-199")
        assert (part.status, part.body) == (206, DATA[100:200])
        assert proxied.delete(image_id).status == 204
    for version in proxied.request("GET", "/").json()["versions"]:
        assert version["links"][0]["href"].startswith(f"{proxied.url}/v2")


def test_an_upload_is_not_collected_in_front(cloud: Cloud, proxied: Api) -> None:
    """The first parts are in S3 while the client still holds back the last."""
    image_id = proxied.create()
    seen = threading.Event()

    def held_back() -> Iterator[bytes]:
        yield DATA
        for _ in range(1200):
            if any(key.startswith(image_id) for key in cloud.uploads("fast")):
                seen.set()
                break
            threading.Event().wait(0.05)
        yield b"end"

    assert proxied.upload(image_id, held_back()).status == 204
    assert seen.is_set(), "nothing had arrived before the end"
    assert proxied.download(image_id).body == DATA + b"end"


def test_under_a_path(cloud: Cloud, tmp_path: pathlib.Path) -> None:
    with nginx(cloud, tmp_path) as api:
        under = Api(f"{api.url}/image", ALICE)
        image_id = under.create()
        assert under.upload(image_id, DATA).status == 204
        assert under.download(image_id).body == DATA
        for version in under.request("GET", "/").json()["versions"]:
            assert version["links"][0]["href"].startswith(f"{under.url}/v2")


@pytest.fixture
def two_controllers(cloud: Cloud) -> Iterator[list[Glance]]:
    """Two Glances with the filter; both run again afterwards."""
    found = [
        cloud.glance(
            gateway=True, config={**PROXIED, "s3gateway": {"claim_grace": str(grace)}}
        )
        for grace in (302, 303)  # anything that makes them two
    ]
    yield found
    for each in found:
        if each.server.process.poll() is not None:
            each.server.start_again()
            each.server.wait_for_url(f"{each.url}/")


@pytest.fixture
def available(
    two_controllers: list[Glance],
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Api]:
    """A client of both behind HAProxy, as the page about high availability has it."""
    port, authority = free_port(), trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    certificate = tmp_path / "image.pem"
    pem = authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem
    pem.write_to_path(str(certificate))
    text = SNIPPET.read_text()
    urls = [each.url for each in two_controllers]
    places = {
        "192.0.2.10:9292": f"127.0.0.1:{port}",
        "192.0.2.11:9292": urls[0].removeprefix("http://"),
        "192.0.2.12:9292": urls[1].removeprefix("http://"),
        "192.0.2.13:9292": f"127.0.0.1:{free_port()}",  # it is down
        "/etc/haproxy/image.pem": str(certificate),
    }
    for published, here in places.items():
        assert text.count(published) == 1
        text = text.replace(published, here)
    config = tmp_path / "haproxy.cfg"
    config.write_text(text)
    with proxies.haproxy(config) as server:
        server.wait_for_port(port)
        yield Api(f"https://127.0.0.1:{port}", ALICE)


def test_a_controller_is_lost(available: Api, two_controllers: list[Glance]) -> None:
    kept = available.create()
    assert available.upload(kept, in_chunks(DATA)).status == 204
    links = [each["links"] for each in available.request("GET", "/").json()["versions"]]
    assert all(link[0]["href"].startswith(f"{available.url}/v2") for link in links)

    two_controllers[0].server.kill()
    for _ in range(4):
        assert available.download(kept).body == DATA
    rest = available.download(kept, Range=f"bytes={MIB}-")
    assert (rest.status, rest.body) == (206, DATA[MIB:])
    another = available.create()
    assert available.upload(another, DATA).status == 204
    for image_id in (kept, another):
        assert available.delete(image_id).status == 204

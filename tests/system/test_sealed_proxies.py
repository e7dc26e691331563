# SPDX-License-Identifier: Apache-2.0
"""Two sealed gateways behind HAProxy, by the published example."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import random
from collections.abc import Iterator

import pytest

from tests.support.clients.api import Api
from tests.support.people import ALICE
from tests.support.s3.memory import MIB
from tests.support.servers import proxies
from tests.support.servers import standalone
from tests.support.servers.cloud import Cloud
from tests.support.servers.glance import ROOT
from tests.support.servers.glance import merged
from tests.support.servers.processes import free_port
from tests.support.servers.standalone import Gateway
from tests.support.servers.standalone import GatewaySpec

pytestmark = pytest.mark.full

EXAMPLE = ROOT / "etc" / "haproxy" / "s3gateway-sealed.cfg"
DATA = random.Random(26).randbytes(17 * MIB + 9)  # noqa: S311


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two gateways, and clients of HAProxy and of Glance itself."""

    gateways: list[Gateway]
    users: Api
    stock: Api


@pytest.fixture
def pair(cloud: Cloud, tmp_path: pathlib.Path) -> Iterator[Pair]:
    front, face = free_port(), free_port()
    url = f"http://127.0.0.1:{face}"
    at_face = standalone.behind_face(url)
    glance = cloud.glance(gateway=False, config=at_face)
    stores = cloud.stores()
    ours = {
        "s3gateway": {"face_url": url, "glance_url": glance.url},
        "oslo_middleware": {"enable_proxy_headers_parsing": "true"},
    }
    text = EXAMPLE.read_text()
    with contextlib.ExitStack() as stack:
        gateways = []
        for number in (1, 2):
            spec = GatewaySpec(face=free_port(), config=merged(stores, ours))
            serving = standalone.serving(spec, tmp_path / f"gateway-{number}")
            gateways.append(stack.enter_context(serving))
            port = gateways[-1].url.rpartition(":")[2]
            host = f"192.0.2.1{number}"
            text = text.replace(f"{host}:9292", f"127.0.0.1:{port}")
            text = text.replace(
                f"{host}:9293 check port 9292",
                f"127.0.0.1:{spec.face} check inter 500 port {port}",
            )
        text = text.replace("0.0.0.0:9292", f"127.0.0.1:{front}")
        config = tmp_path / "haproxy.cfg"
        config.write_text(text.replace("192.0.2.10:9293", f"127.0.0.1:{face}"))
        assert "192.0.2" not in config.read_text()
        server = stack.enter_context(proxies.haproxy(config))
        server.wait_for_url(f"http://127.0.0.1:{front}/healthcheck")
        users = Api(f"http://127.0.0.1:{front}", ALICE)
        yield Pair(gateways, users, Api(glance.url, ALICE))


def test_flows_go_through_both_and_through_the_one_that_is_left(pair: Pair) -> None:
    for gone in (False, True):
        if gone:
            pair.gateways[0].server.ask_to_stop()
        for api in (pair.users, pair.stock):
            image_id = api.create()
            assert api.upload(image_id, DATA).status == 204
            assert pair.stock.download(image_id).body == DATA
            assert pair.users.download(image_id).body == DATA
            assert pair.users.delete(image_id).status == 204

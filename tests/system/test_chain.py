# SPDX-License-Identifier: Apache-2.0
"""Glance and gateways whose requests to S3 are signed with temporary credentials."""

from __future__ import annotations

import contextlib
import itertools
import pathlib
import secrets
from collections.abc import Callable
from collections.abc import Iterator

import pytest

from s3gateway.config.keys import KeyPair
from tests.support.clients.api import Api
from tests.support.people import ALICE
from tests.support.s3 import gate as gates
from tests.support.s3 import sources
from tests.support.s3.gate import Gate
from tests.support.s3.s3server import S3Server
from tests.support.s3.sources import Issuer
from tests.support.servers.cloud import Cloud
from tests.support.servers.glance import Config
from tests.support.servers.processes import ServerFailed
from tests.support.servers.standalone import GatewaySpec

MIB = 1024**2
DATA = secrets.token_bytes(23 * MIB)
LASTING = KeyPair("LASTINGKEY000001", "lasting/secret+key=0123456789abc")
NO_KEYS = {"s3_store_access_key": "", "s3_store_secret_key": ""}
KEYS = {
    "s3_store_access_key": LASTING.access_key,
    "s3_store_secret_key": LASTING.secret_key,
}


class Ground:
    """A gate before S3 that takes temporary keys, and one pair that lasts."""

    def __init__(self, gate: Gate, issuer: Issuer, endpoint: str, service: str) -> None:
        self.gate, self.issuer = gate, issuer
        self.env = {**sources.instance(service), "NO_PROXY": "*"}
        self._endpoint = endpoint

    def stores(self, **options: str) -> Config:
        section = {"s3_store_host": self._endpoint, **options}
        return {"fast": section, "cheap": section}

    def chain(self, keys: dict[str, str]) -> Config:
        return self.stores(s3_store_credentials="chain", **keys)

    @contextlib.contextmanager
    def expiring(self) -> Iterator[list[str]]:
        """Have keys expire before the second PUT, and in the first large answer to GET.

        That answer breaks off.  Yield what was refused, at the end.
        """
        puts, cuts = itertools.count(1), itertools.count(1)

        def before(method: str, path: str) -> None:
            if method == "PUT" and next(puts) == 2:
                self.issuer.refuse()

        def cut(method: str, sent: int) -> bool:
            if method != "GET" or sent < MIB or next(cuts) != 1:
                return False
            self.issuer.refuse()
            return True

        refused = len(self.gate.refused)
        codes: list[str] = []
        self.gate.before, self.gate.cut = before, cut
        try:
            yield codes
        finally:
            self.gate.before = lambda method, path: None
            self.gate.cut = lambda method, sent: False
            codes.extend(self.gate.refused[refused:])

    def hidden(self, stock: Api, gateway: Api, image_id: str) -> None:
        """Make sure that no answer has what signs the requests now."""
        now = self.issuer.issued[-1]
        change = {"op": "add", "path": "/note", "value": f"{now.secret_key}{now.token}"}
        assert stock.patch(image_id, change).status == 200
        shown = gateway.request("GET", f"/v2/images/{image_id}")
        assert shown.json()["note"] == "REDACTEDREDACTED"

    def secrets(self) -> list[str]:
        return [text for p in self.issuer.issued for text in (p.secret_key, p.token)]


@pytest.fixture(scope="module")
def ground(s3: S3Server) -> Iterator[Ground]:
    issuer = Issuer()
    lasting = gates.of_pairs(LASTING)
    gate = Gate(s3, lambda key: lasting(key) or issuer.find(key))
    with sources.serving(issuer) as service, gates.serving(gate) as endpoint:
        yield Ground(gate, issuer, endpoint, service)


def there_and_back(ground: Ground, api: Api) -> str:
    """Upload and download an image while keys expire; return its id."""
    image_id = api.create()
    with ground.expiring() as refused:
        assert api.upload(image_id, DATA).status == 204
    assert "ExpiredToken" in refused
    with ground.expiring() as refused:
        assert api.download(image_id).body == DATA
    assert "ExpiredToken" in refused
    return image_id


def test_a_filter_with_a_chain_and_keys_for_glance(
    cloud: Cloud, ground: Ground
) -> None:
    running = cloud.glance(gateway=True, config=ground.chain(KEYS), env=ground.env)
    api = Api(running.url, ALICE)
    image_id = there_and_back(ground, api)
    used = len(ground.gate.used)
    ground.hidden(cloud.api(ALICE, gateway=False), api, image_id)
    assert api.delete(image_id).status == 204
    assert LASTING.access_key in ground.gate.used[used:]
    assert image_id not in str(cloud.objects("fast"))
    assert "s3_store_credentials = chain" not in running.log
    stored = cloud.sql("SELECT * FROM image_locations")
    for secret in ground.secrets():
        assert secret not in running.log
        assert secret not in stored


def test_a_filter_with_a_chain_alone(cloud: Cloud, ground: Ground) -> None:
    running = cloud.glance(gateway=True, config=ground.chain(NO_KEYS), env=ground.env)
    api = Api(running.url, ALICE)
    image_id = there_and_back(ground, api)
    assert api.delete(image_id).status == 204
    assert image_id in str(cloud.objects("fast"))  # Glance cannot delete it
    assert "Store fast has s3_store_credentials = chain" in running.log
    assert "deletes leave the data in S3" in running.log


def test_a_gateway_of_its_own_with_a_chain_alone(cloud: Cloud, ground: Ground) -> None:
    glance = ground.stores(**KEYS)
    spec = GatewaySpec(config=ground.chain(NO_KEYS), env=ground.env)
    gateway = cloud.standalone(spec, config=glance)
    image_id = there_and_back(ground, Api(gateway.url, ALICE))
    stock = cloud.api(ALICE, gateway=False, config=glance)
    assert stock.download(image_id).body == DATA
    assert stock.delete(image_id).status == 204
    for secret in ground.secrets():
        assert secret not in gateway.log


def test_a_chain_that_has_nothing(cloud: Cloud, ground: Ground) -> None:
    running = cloud.glance(gateway=True, config=ground.chain(KEYS))
    api = Api(running.url, ALICE)
    image_id = api.create()
    answer = api.upload(image_id, b"data")
    assert answer.status == 503
    assert b"Store fast has no credentials: " in answer.body
    assert api.show(image_id)["status"] == "queued"


@pytest.mark.full
def test_glance_30_needs_keys_beside_a_chain(
    clouds: Callable[[int], Cloud], ground: Ground, tmp_path: pathlib.Path
) -> None:
    cloud = clouds(30)
    with pytest.raises(ServerFailed) as failed:
        cloud.glance(gateway=True, config=ground.chain(NO_KEYS), env=ground.env)
    assert "s3_store_credentials = chain does not replace it here" in str(failed.value)
    running = cloud.glance(gateway=True, config=ground.chain(KEYS), env=ground.env)
    image_id = there_and_back(ground, Api(running.url, ALICE))
    [row] = cloud.rows("SELECT value FROM image_locations WHERE image_id=%s", image_id)
    assert f"{LASTING.access_key}:{LASTING.secret_key}@" in row[0]
    stock = cloud.api(ALICE, gateway=False, config=ground.stores(**KEYS))
    assert stock.download(image_id).body == DATA
    assert stock.delete(image_id).status == 204

# SPDX-License-Identifier: Apache-2.0
"""Two sealed gateways behind HAProxy, by the published example; one of them goes."""

from __future__ import annotations

import concurrent.futures
import contextlib
import csv
import dataclasses
import pathlib
import random
import threading
import time
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.support.clients.api import OCTETS
from tests.support.clients.api import Api
from tests.support.faults.faultproxy import FaultProxy
from tests.support.faults.s3_faults import Stall
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

pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]

EXAMPLE = ROOT / "etc" / "haproxy" / "s3gateway-sealed.cfg"
DATA = random.Random(26).randbytes(17 * MIB + 9)  # noqa: S311
WHOLE = DATA + b"end"
SMALL = DATA[: MIB + 1]
# S3 is held back in tests, and nobody is to give up meanwhile.
PATIENT = {"read_timeout": "240"}
LINKS = {"oslo_middleware": {"enable_proxy_headers_parsing": "true"}}

Pool = concurrent.futures.ThreadPoolExecutor


@dataclasses.dataclass(frozen=True)
class Member:
    """One of the gateways, and a proxy between it and S3.

    :ivar name: in HAProxy's configuration
    """

    name: str
    gateway: Gateway
    s3: FaultProxy

    def asked(self, key: str, method: str, query: str = "") -> bool:
        """Whether it has sent such a request to S3 about a key."""
        return any(
            key in request.path and request.method == method and query in request.query
            for request in self.s3.requests
        )

    @property
    def runs(self) -> bool:
        return self.gateway.server.process.poll() is None


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two gateways, and clients of HAProxy and of Glance itself.

    :ivar stats: the URL of HAProxy's own statistics
    """

    cloud: Cloud
    members: tuple[Member, Member]
    users: Api
    stock: Api
    stats: str

    def state(self) -> dict[tuple[str, str], str]:
        """Return what HAProxy thinks of each server, by backend and name."""
        text = requests.get(self.stats, timeout=60).text.removeprefix("# ")
        rows = csv.DictReader(text.splitlines())
        return {(row["pxname"], row["svname"]): row["status"] for row in rows}

    def wait_until_known(self) -> None:
        """Wait until HAProxy takes both for up."""
        wanted = [
            (backend, member.name)
            for backend in ("s3gateway", "s3face")
            for member in self.members
        ]
        soon(lambda: {self.state()[each] for each in wanted} == {"UP"}, "not up")


def soon(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 200
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def placed(ports: dict[str, str], directory: pathlib.Path) -> tuple[pathlib.Path, str]:
    """Write the example with other addresses; return its file and its statistics.

    :param ports: what stands for each address
    """
    text, stats = EXAMPLE.read_text(), free_port()
    for published, here in ports.items():
        assert published in text
        text = text.replace(published, here)
    assert "192.0.2" not in text
    text += f"\nlisten stats\n    bind 127.0.0.1:{stats}\n    stats enable\n"
    text += "    stats uri /\n"
    text = text.replace(
        "defaults\n", "defaults\n    log stdout format raw daemon\n    option httplog\n"
    )
    config = directory / "haproxy.cfg"
    config.write_text(text)
    return config, f"http://127.0.0.1:{stats}/;csv"


@pytest.fixture(scope="module")
def running(clouds: Callable[[int], Cloud], workspace: pathlib.Path) -> Iterator[Pair]:
    cloud = clouds(33)
    home = workspace / "sealed-pair"
    front, face = free_port(), free_port()
    url = f"http://127.0.0.1:{face}"
    at_face = standalone.behind_face(url)
    glance = cloud.glance(gateway=False, config=at_face, threads=32)
    ours = {"face_url": url, "glance_url": glance.url, "claim_grace": "1"} | PATIENT
    ports = {"0.0.0.0:9292": f"127.0.0.1:{front}", "192.0.2.10:9293": url[7:]}
    with contextlib.ExitStack() as stack:
        members = []
        for number in (1, 2):
            s3 = stack.enter_context(FaultProxy(cloud.s3.endpoint))
            store = {"s3_store_host": s3.endpoint}
            config = merged(
                cloud.stores(),
                {"s3gateway": ours, "fast": store, "cheap": store},
                LINKS,
            )
            spec = GatewaySpec(face=free_port(), config=config)
            serving = standalone.serving(spec, home / f"gateway-{number}")
            gateway = stack.enter_context(serving)
            members.append(Member(f"gateway{number}", gateway, s3))
            port = gateway.url.rpartition(":")[2]
            ports[f"192.0.2.1{number}:9292"] = f"127.0.0.1:{port}"
            ports[f"192.0.2.1{number}:9293 check port 9292"] = (
                f"127.0.0.1:{spec.face} check port {port}"
            )
        config_file, stats = placed(ports, home)
        haproxy = stack.enter_context(proxies.haproxy(config_file))
        haproxy.wait_for_url(f"http://127.0.0.1:{front}/healthcheck")
        users = Api(f"http://127.0.0.1:{front}", ALICE)
        stock = Api(glance.url, ALICE)
        yield Pair(cloud, (members[0], members[1]), users, stock, stats)


@pytest.fixture
def pair(running: Pair) -> Iterator[Pair]:
    """Two gateways, both of which run."""
    for member in running.members:
        if not member.runs:
            member.gateway.server.start_again()
            member.gateway.server.wait_for_url(f"{member.gateway.url}/healthcheck")
        member.s3.forget()
    running.wait_until_known()
    yield running
    for member in running.members:
        member.s3.clear()


def goes_both_ways(pair: Pair, data: bytes) -> None:
    """Have an image of a user and one of Glance's own driver go in and out."""
    for api in (pair.users, pair.stock):
        image_id = api.create()
        answer = api.upload(image_id, data)
        assert answer.status == 204, answer
        assert pair.stock.download(image_id).body == data
        assert pair.users.download(image_id).body == data
        assert pair.users.delete(image_id).status == 204
        assert pair.cloud.kept(image_id) == []


def test_images_go_both_ways(pair: Pair) -> None:
    goes_both_ways(pair, SMALL)
    goes_both_ways(pair, DATA)


def test_parts_of_one_upload_reach_both_gateways(pair: Pair) -> None:
    """Glance's own driver sends them; the gateways know nothing of each other."""
    image_id = pair.stock.create()
    assert pair.stock.upload(image_id, DATA).status == 204
    for member in pair.members:
        assert member.asked(f"/{image_id}", "PUT", "partNumber"), member.name
    assert pair.stock.download(image_id).body == DATA
    assert pair.users.download(image_id).body == DATA
    assert pair.users.delete(image_id).status == 204
    assert pair.cloud.kept(image_id) == []


def test_a_registration_that_asks_both_gateways(pair: Pair) -> None:
    """One has written the object and knows its size; the other has to ask S3."""
    image_id = pair.users.create()
    assert pair.users.upload(image_id, SMALL).status == 204
    [writer] = [each for each in pair.members if each.asked(image_id, "PUT")]
    [other] = [each for each in pair.members if each is not writer]
    assert other.asked(image_id, "HEAD")
    assert not writer.asked(image_id, "HEAD")
    image = pair.users.show(image_id)
    assert (image["status"], image["size"]) == ("active", len(SMALL))
    assert pair.stock.download(image_id).body == SMALL
    assert pair.users.delete(image_id).status == 204
    assert pair.cloud.kept(image_id) == []


class Slow:
    """A body whose end is held back."""

    def __init__(self, go_on: threading.Event) -> None:
        self._go_on = go_on

    def __len__(self) -> int:
        return len(WHOLE)

    def __iter__(self) -> Iterator[bytes]:
        yield DATA
        assert self._go_on.wait(240)
        yield WHOLE[len(DATA) :]


class Held:
    """Transfers, some of them of one gateway, that do not end until they may.

    :param member: the gateway
    """

    def __init__(self, pair: Pair, member: Member, pool: Pool) -> None:
        self._pair, self._member, self._pool = pair, member, pool
        self._go_on = threading.Event()
        self._begun: list[concurrent.futures.Future[bool]] = []

    def begin(self) -> None:
        """Have the gateway do something of each kind."""
        for api in (self._pair.users, self._pair.stock):
            self.upload(api)
            image_id = api.create()
            assert api.upload(image_id, DATA).status == 204
            self.download(api, image_id, after=MIB)

    def upload(self, api: Api) -> None:
        """Begin an upload whose end the client holds back."""
        images: list[str] = []

        def upload() -> bool:
            images.append(image_id := api.create())
            return uploaded(api, image_id, Slow(self._go_on))

        def has_one() -> bool:
            return any(self._member.asked(each, "PUT", "part") for each in images)

        self._until(has_one, upload)

    def download(self, api: Api, image_id: str, after: int | None = None) -> None:
        """Begin a download.

        :param after: how many bytes S3 sends of it, if not ``None``
        """
        is_held = self._hold(after, method="GET", key=image_id)
        self._until(is_held, lambda: downloaded(api, image_id))

    def end(self) -> list[bool]:
        """Let all go on; return of each whether it went as it should."""
        self.let_go()
        return [each.result(120) for each in self._begun]

    def let_go(self) -> None:
        self._go_on.set()
        for member in self._pair.members:
            member.s3.clear()

    def _hold(self, after: int | None = None, **where: Any) -> Callable[[], bool]:
        """Hold requests to S3, of both gateways, or HAProxy would use the idler one.

        :return: says whether one of the gateway's is held
        """
        stalls = {
            member.name: member.s3.add(Stall(after=after), times=None, **where)
            for member in self._pair.members
        }
        return stalls[self._member.name].reached.is_set

    def _until(self, reached: Callable[[], bool], do: Callable[[], bool]) -> None:
        """Begin the same again until the gateway has one of them."""
        for _ in range(6):
            self._begun.append(self._pool.submit(do))
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline:
                if reached():
                    return
                time.sleep(0.05)
        raise AssertionError("the other gateway gets all of them")


@contextlib.contextmanager
def held(pair: Pair, member: Member) -> Iterator[Held]:
    with Pool(32) as pool:
        found = Held(pair, member, pool)
        try:
            yield found
        finally:
            found.let_go()


def downloaded(api: Api, image_id: str) -> bool:
    """Download an image that may be held back for long; return whether it came."""
    url, headers = f"{api.url}/v2/images/{image_id}/file", {"X-Auth-Token": api.token}
    return requests.get(url, headers=headers, timeout=600).content == DATA


def uploaded(api: Api, image_id: str, body: Iterable[bytes]) -> bool:
    """Upload an image; return whether it went as it should."""
    try:
        answer = api.upload(image_id, body)
    except requests.ConnectionError:
        return False
    return answer.status == 204 and api.download(image_id).body == WHOLE


@contextlib.contextmanager
def busy(pair: Pair) -> Iterator[Callable[[], int]]:
    """Have images go in and out all the time.

    :return: says how many have, and raises what went wrong
    """
    over = threading.Event()
    images: list[int] = []

    def go() -> None:
        while not over.is_set():
            goes_both_ways(pair, SMALL)
            images.append(1)

    with Pool(2) as pool:
        going = [pool.submit(go) for _ in range(2)]

        def count() -> int:
            for each in going:
                if each.done():
                    each.result()
            return len(images)

        try:
            yield count
        finally:
            over.set()
        for each in going:
            each.result(240)


def test_a_gateway_is_stopped_while_transfers_run(pair: Pair) -> None:
    """Its transfers end whole, and the other gateway gets all that begins."""
    stopped = pair.members[0]
    with held(pair, stopped) as transfers:
        transfers.begin()
        with busy(pair) as count:
            soon(lambda: count() > 0, "nothing goes in and out")
            stopped.gateway.server.ask_to_stop()
            soon(lambda: "UP" not in pair.state()["s3face", stopped.name], "still up")
            so_far = count()
            soon(lambda: count() > so_far + 2, "nothing goes in and out any more")
            assert stopped.runs
        assert all(transfers.end())
    assert stopped.gateway.server.process.wait(60) == 0
    goes_both_ways(pair, DATA)


def test_a_gateway_is_killed_between_requests(pair: Pair) -> None:
    """Neither users, on new connections and on old ones, nor Glance see an error."""
    headers = {"X-Auth-Token": ALICE, "Content-Type": OCTETS}
    with contextlib.ExitStack() as stack:
        kept = [stack.enter_context(requests.Session()) for _ in range(4)]
        images = [pair.users.create() for _ in kept]
        urls = [f"{pair.users.url}/v2/images/{image_id}" for image_id in images]
        for session, url in zip(kept, urls, strict=True):
            assert session.get(url, headers=headers, timeout=60).ok
        pair.members[1].gateway.server.kill()
        for session, url in zip(kept, urls, strict=True):
            sent = session.put(f"{url}/file", SMALL, headers=headers, timeout=120)
            assert sent.status_code == 204
            got = session.get(f"{url}/file", headers=headers, timeout=60)
            assert got.content == SMALL
            assert session.delete(url, headers=headers, timeout=60).status_code == 204
    goes_both_ways(pair, SMALL)
    goes_both_ways(pair, DATA)


def test_a_download_of_which_nothing_came_is_asked_for_again(pair: Pair) -> None:
    killed, image_id = pair.members[0], pair.users.create()
    assert pair.users.upload(image_id, DATA).status == 204
    with held(pair, killed) as transfers:
        transfers.download(pair.users, image_id)
        killed.gateway.server.kill()
        assert all(transfers.end())
    assert pair.users.delete(image_id).status == 204


def test_an_upload_is_lost_with_its_gateway_and_can_be_repeated(pair: Pair) -> None:
    killed = pair.members[1]
    with held(pair, killed) as transfers:
        transfers.upload(pair.users)
        killed.gateway.server.kill()
        assert False in transfers.end()
    [image_id] = {
        image["id"]
        for image in pair.users.request("GET", "/v2/images?status=queued").json()[
            "images"
        ]
        if pair.cloud.kept(image["id"])
    }
    answer = pair.users.upload(image_id, DATA)
    while answer.status == 409:  # until the claim of the dead one is stale
        answer = pair.users.upload(image_id, DATA)
    assert answer.status == 204
    assert pair.users.download(image_id).body == DATA
    assert pair.users.delete(image_id).status == 204
    assert pair.cloud.kept(image_id) == []

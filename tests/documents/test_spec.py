# SPDX-License-Identifier: Apache-2.0
"""The specification that brought the S3 driver back, option by option."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import random
import re
import threading
import time
from collections.abc import Iterator

import pytest

from tests.documents import deployment
from tests.documents.deployment import ALONE
from tests.documents.deployment import FILTER
from tests.documents.deployment import GATEWAYS
from tests.documents.deployment import SHAPES
from tests.documents.deployment import STOCK
from tests.documents.deployment import Deployment
from tests.documents.story import Document
from tests.documents.story import Story
from tests.support.clients.api import Api
from tests.support.clients.api import Response
from tests.support.faults.fault import Fault
from tests.support.faults.fault import Request
from tests.support.faults.faultproxy import FaultProxy
from tests.support.people import ALICE
from tests.support.s3 import catalog
from tests.support.s3 import rgw
from tests.support.s3.s3server import S3Server
from tests.support.servers import glance
from tests.support.servers.glance import Config
from tests.support.servers.mariadb import MariaDB
from tests.support.servers.processes import ServerFailed
from tests.support.servers.standalone import GatewaySpec

pytestmark = [pytest.mark.full, pytest.mark.timeout(1200)]

DOCUMENT = Document(
    number=4,
    name="spec",
    title="The specification that brought the S3 driver back",
    published=(
        "The specification of 2020 for Glance's release Ussuri, by which the S3 driver "
        "came back to Glance: nine options, three stores side by side, a list of tests."
    ),
    cannot=(
        (
            "AWS S3, which the specification's ``fast`` names: Ceph RGW stands for "
            "it, and OpenStack Swift's S3 API for the object storage of one's own, "
            "``cheap``."
        ),
    ),
)

MIB = 1024**2
DATA = random.Random(4).randbytes(30 * MIB)  # noqa: S311

#: As the specification shows it; the default has its place of today.
SPECIFIED = """\
[DEFAULT]
enabled_backends = fast:s3, cheap:s3, reliable:file

[glance_store]
default_backend = fast

[reliable]
filesystem_store_datadir = /var/lib/images/data/
store_description = Reliable filesystem store

[fast]
s3_store_host = http://s3.example.org
s3_store_access_key = access-key-for-fast
s3_store_secret_key = secret-key-for-fast
s3_store_bucket = bucket-for-fast

[cheap]
s3_store_host = http://my-object-storage.example.org
s3_store_access_key = access-key-for-cheap
s3_store_secret_key = secret-key-for-cheap
s3_store_bucket = bucket-for-cheap
"""

#: One store for each option that is looked at: what its section has beside the rest.
OPTIONS: dict[str, dict[str, str]] = {
    "wrong-secret": {"s3_store_secret_key": "not-the-secret"},
    "absent": {},
    "created": {"s3_store_create_bucket_on_put": "true"},
    "by-path": {"s3_store_bucket_url_format": "path"},
    "by-host": {"s3_store_bucket_url_format": "virtual"},
    "auto": {"s3_store_bucket_url_format": "auto"},
    "small": {
        "s3_store_large_object_size": "100",
        "s3_store_large_object_chunk_size": "10",
    },
    "large": {
        "s3_store_large_object_size": "5",
        "s3_store_large_object_chunk_size": "10",
    },
    "in-fives": {
        "s3_store_large_object_size": "30",
        "s3_store_large_object_chunk_size": "5",
    },
    "in-eights": {
        "s3_store_large_object_size": "30",
        "s3_store_large_object_chunk_size": "8",
    },
    "two-pools": {
        "s3_store_large_object_size": "30",
        "s3_store_large_object_chunk_size": "5",
        "s3_store_thread_pools": "2",
    },
    "five-pools": {
        "s3_store_large_object_size": "30",
        "s3_store_large_object_chunk_size": "5",
        "s3_store_thread_pools": "5",
    },
}
_BY_HOST = ("by-path", "by-host", "auto")
_NO_BUCKET = ("absent", "created")
_NAMES = {"/names": "paste.app_factory = tests.support.servers.names:app_factory"}


class Together(Fault):
    """Counts the requests that are under way.

    The first are held until as many as are expected have come, and all for a moment,
    in which one more could come.
    """

    def __init__(self, expected: int) -> None:
        super().__init__()
        self.expected = expected
        self.most = 0
        self._now = 0
        self._changed = threading.Condition()

    def before(self, request: Request) -> None:
        self.happens(request)
        with self._changed:
            self._now += 1
            self.most = max(self.most, self._now)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self.most >= self.expected, timeout=30)
        time.sleep(0.5)

    def ended(self, request: Request, size: int) -> None:
        with self._changed:
            self._now -= 1


@dataclasses.dataclass(frozen=True)
class Here:
    """What the steps share.

    :ivar proxy: before the S3 server of all stores but ``cheap``
    :ivar servers: by the store
    """

    cloud: Deployment
    proxy: FaultProxy
    directory: pathlib.Path
    servers: dict[str, S3Server]

    def api(self, shape: str) -> Api:
        return Api(self.cloud.url(shape), ALICE)

    def upload(
        self, shape: str, store: str, data: bytes = DATA
    ) -> tuple[str, Response]:
        """Upload data to a store; return the image and the answer."""
        api = self.api(shape)
        image = api.create(name=store)
        return image, api.upload(image, data, X_Image_Meta_Store=store)

    def sent(
        self,
        shape: str,
        store: str,
        fault: Fault | None = None,
        data: bytes = DATA,
    ) -> list[Request]:
        """Upload to a store and delete again; return what S3 was asked about the data.

        Claims of the gateway's are not among it.
        """
        before = len(self.proxy.requests)
        if fault:
            bucket = self.cloud.bucket(store)
            self.proxy.add(
                fault, method="PUT", key=bucket, query="partNumber", times=None
            )
        image, answer = self.upload(shape, store, data)
        assert answer.status == 204, (shape, store, answer)
        found = self.proxy.requests[before:]
        assert self.api(shape).delete(image).status == 204
        assert self.objects(store) == []
        about = [each for each in found if ".s3gateway/" not in each.path]
        return [each for each in about if f"/{image}" in each.path]

    def objects(self, store: str) -> list[str]:
        """Return the keys of what is in a store's bucket."""
        client = self.servers.get(store, self.cloud.s3).client()
        found = client.list_objects_v2(Bucket=self.cloud.bucket(store))
        return [each["Key"] for each in found.get("Contents", [])]

    def buckets(self) -> list[str]:
        """Return the buckets of the server of most stores."""
        return [
            each["Name"] for each in self.cloud.s3.client().list_buckets()["Buckets"]
        ]


@pytest.fixture(scope="module")
def here(workspace: pathlib.Path, database: MariaDB, story: Story) -> Iterator[Here]:
    if reason := rgw.missing():
        pytest.skip(f"this document was not followed: {reason}")
    directory = workspace / "spec"
    with contextlib.ExitStack() as stack:
        fast = stack.enter_context(rgw.serving(directory / "rgw"))
        cheap = stack.enter_context(catalog.serving("swift", directory / "swift"))
        proxy = stack.enter_context(FaultProxy(fast.endpoint))
        config = _stores(fast, cheap, proxy, directory)
        cloud = Deployment(
            "spec",
            config,
            directory=directory,
            mariadb=database,
            s3=fast,
            stack=stack,
            apps=_NAMES,
        )
        servers = {"cheap": cheap}
        for store, section in config.items():
            if "s3_store_bucket" in section and store not in _NO_BUCKET:
                client = servers.get(store, fast).client()
                client.create_bucket(Bucket=section["s3_store_bucket"])
        _names(story, fast, cheap, proxy)
        yield Here(cloud, proxy, directory, servers)


def _stores(
    fast: S3Server, cheap: S3Server, proxy: FaultProxy, directory: pathlib.Path
) -> Config:
    """Return the specification's stores, and those that show an option each."""
    config = glance.parsed(SPECIFIED)
    (directory / "data").mkdir()
    config["reliable"]["filesystem_store_datadir"] = str(directory / "data")
    config["cheap"] |= {"s3_store_host": cheap.endpoint} | _keys(cheap)
    config["cheap"]["s3_store_bucket_url_format"] = "path"
    config["fast"] |= {"s3_store_host": proxy.endpoint} | _keys(fast)
    config["fast"]["s3_store_bucket_url_format"] = "path"
    hosts = dict.fromkeys(_BY_HOST, f"http://s3.localhost:{proxy.port}")
    for store, options in OPTIONS.items():
        config[store] = {
            "s3_store_host": hosts.get(store, proxy.endpoint),
            "s3_store_bucket": f"{store}-bucket",
            "s3_store_bucket_url_format": "path",
            **_keys(fast),
            **options,
        }
    more = "".join(f", {store}:s3" for store in OPTIONS)
    config["DEFAULT"]["enabled_backends"] += more
    return config


def _keys(server: S3Server) -> dict[str, str]:
    return {
        "s3_store_access_key": server.access_key,
        "s3_store_secret_key": server.secret_key,
    }


def _names(story: Story, fast: S3Server, cheap: S3Server, proxy: FaultProxy) -> None:
    story.instead(f"s3.localhost:{proxy.port}", "s3.example.org")
    story.instead(cheap.endpoint, "http://my-object-storage.example.org")
    for server, name in ((fast, "fast"), (cheap, "cheap")):
        story.instead(server.access_key, f"access-key-for-{name}")
        story.instead(server.secret_key, f"secret-key-for-{name}")


def test_three_stores_side_by_side(here: Here, story: Story) -> None:
    found = deployment.versions("glance", "glance_store", "boto3")
    story.version("Glance", found["glance"])
    for name in ("glance_store", "boto3"):
        story.version(name, found[name])
    ceph = deployment.program_version("radosgw", "--version")
    story.version("Ceph RGW", ceph.split()[2])
    story.step("fast, cheap and reliable")
    story.block("The configuration", SPECIFIED)
    kept = {"fast": 1, "cheap": 1, "reliable": 0}
    for shape in SHAPES:
        stores = here.api(shape).request("GET", "/v2/info/stores").json()["stores"]
        ids = {each["id"]: each for each in stores}
        assert set(kept) <= set(ids)
        assert [name for name in ids if ids[name].get("default")] == ["fast"]
        assert ids["reliable"]["description"] == "Reliable filesystem store"
        for store, count in kept.items():
            image, answer = here.upload(shape, store)
            assert answer.status == 204, (shape, store, answer)
            shown = here.api(shape).show(image)
            assert (shown["status"], shown["stores"]) == ("active", store)
            objects = {name: here.objects(name) for name in ("fast", "cheap")}
            own = [key for key in objects.get(store, []) if key.startswith(image)]
            assert len(own) == count
            assert sum(map(len, objects.values())) == count, objects
            assert len(list((here.directory / "data").iterdir())) == 1 - count
            assert here.api(shape).delete(image).status == 204
    story.row(
        "Two S3 stores on two servers and a file store are enabled together; ``fast`` "
        "is the default.",
        "An image goes to the store that ``X-Image-Meta-Store`` names, and to no "
        "other, in all three shapes.  ``default_backend`` has moved from "
        "``[DEFAULT]`` to ``[glance_store]`` since, and ``description`` is "
        "``store_description``.",
        "The gateway takes over the two S3 stores and leaves ``reliable`` to Glance.",
    )


def test_host(here: Here, story: Story) -> None:
    story.step("s3_store_host")
    host = here.proxy.endpoint.removeprefix("http://")
    config: Config = {"fast": {"s3_store_host": host}}
    stock = Api(here.cloud.glance(gateway=False, config=config).url, ALICE)
    image = stock.create()
    answer = stock.upload(image, DATA, X_Image_Meta_Store="fast")
    assert (answer.status, stock.show(image)["status"]) == (400, "queued")
    assert host in answer.body.decode()
    assert stock.delete(image).status == 204
    refusals = [_refusal(here.cloud, config, shape) for shape in GATEWAYS]
    assert len(set(refusals)) == 1
    assert "[fast] s3_store_host: has no scheme" in refusals[0]
    assert host not in refusals[0]
    story.row(
        "The host may have a scheme or not: ``https://my-object-storage.com`` or "
        "``my-object-storage.com``.",
        "Only the hosts of AWS whose region the driver knows, as "
        "``s3-eu-west-1.amazonaws.com``, may lack it.  Stock Glance 33 starts, and "
        "answers 400 to each upload: boto3 takes no endpoint without a scheme.",
        "The gateway says so when it starts.  No answer names the host; stock's does.",
    )
    story.block("The start of Glance with the filter", refusals[0])


def _refusal(cloud: Deployment, config: Config, shape: str) -> str:
    """Return the line in which a gateway says why it does not start."""
    with pytest.raises(ServerFailed) as failed:
        _start(cloud, config, shape)
    lines = str(failed.value).splitlines()
    return next(line for line in lines if "ConfigError: " in line).strip()


def _start(cloud: Deployment, config: Config, shape: str) -> None:
    if shape == FILTER:
        cloud.glance(gateway=True, config=config)
    else:
        cloud.standalone(GatewaySpec(config=config))


def test_keys(here: Here, story: Story) -> None:
    story.step("s3_store_access_key and s3_store_secret_key")
    for shape in SHAPES:
        image, answer = here.upload(shape, "wrong-secret")
        assert here.api(shape).show(image)["status"] == "queued"
        assert answer.status == (500 if shape == STOCK else 503), answer
        said = b"403 SignatureDoesNotMatch" in answer.body
        assert said == (shape != STOCK), answer
        assert here.api(shape).delete(image).status == 204
    story.row(
        "An access key and a secret key for each store.",
        "With a wrong secret key the image stays ``queued`` in all three, and the "
        "other stores go on.  Stock Glance answers 500.",
        "503, which clients may repeat.  The answer says that the store refused the "
        "signature, and no key.",
    )


def test_create_bucket_on_put(here: Here, story: Story) -> None:
    story.step("s3_store_bucket and s3_store_create_bucket_on_put")
    client = here.cloud.s3.client()
    for shape in SHAPES:
        image, answer = here.upload(shape, "absent")
        assert answer.status == 500
        said = b"set s3_store_create_bucket_on_put in [absent]" in answer.body
        assert said == (shape != STOCK), answer
        assert here.api(shape).show(image)["status"] == "queued"
        assert here.api(shape).delete(image).status == 204
        assert "absent-bucket" not in here.buckets()
        assert "created-bucket" not in here.buckets()
        image, answer = here.upload(shape, "created")
        assert answer.status == 204, (shape, answer)
        [key] = here.objects("created")
        assert key.startswith(image)
        assert here.api(shape).delete(image).status == 204
        assert here.objects("created") == []
        client.delete_bucket(Bucket="created-bucket")
    story.row(
        "If there is no bucket, an upload makes it, or fails; the option says which.",
        "Without the option: 500, no bucket, and the image stays ``queued``.  With it: "
        "the bucket is made, and the image is in it, in all three.",
        "The answer says that there is no bucket and which option makes it.  Stock's "
        "does not.",
    )


def test_bucket_url_format(here: Here, story: Story) -> None:
    story.step("s3_store_bucket_url_format")
    host = f"s3.localhost:{here.proxy.port}"
    expected = {"by-path": host, "by-host": f"by-host-bucket.{host}", "auto": host}
    rows = [["", "path", "virtual", "auto"]]
    for shape in (STOCK, FILTER):
        for store in _BY_HOST:
            hosts = {each.headers["host"] for each in here.sent(shape, store)}
            assert hosts == {expected[store]}, (shape, store)
        rows.append([shape, *(f"``{expected[store]}``" for store in _BY_HOST)])
    story.row(
        "``path`` has the bucket in the path, ``virtual`` in the host's name; ``auto`` "
        "leaves it to boto3.",
        "The Host header of every request to S3 is what the format says, in stock "
        "Glance and in the filter.",
    )
    story.table("The Host header", rows)


def test_large_object_size_and_chunk_size(here: Here, story: Story) -> None:
    story.step("s3_store_large_object_size and s3_store_large_object_chunk_size")
    rows = [["", "large_object_size", "chunk_size", "image", "sent to S3"]]
    expected = [
        ("in-fives", DATA, SHAPES, [5] * 6),
        ("in-eights", DATA, SHAPES, [8, 8, 8, 6]),
        ("small", DATA[: 8 * MIB], SHAPES, [8]),
        ("large", DATA[: 8 * MIB], SHAPES, [8]),
        ("small", DATA, (STOCK,), [30]),
        ("small", DATA, (FILTER, ALONE), [10, 10, 10]),
    ]
    for store, data, shapes, sizes in expected:
        is_one_put = store == "small" and len(sizes) == 1
        for shape in shapes:
            sent = here.sent(shape, store, data=data)
            puts = [each for each in sent if each.method == "PUT"]
            parts = sorted(puts, key=_number)
            assert [_mib(each) for each in parts] == sizes, (shape, store)
            assert all(bool(_number(each)) != is_one_put for each in parts)
        listed = ", ".join(map(str, sizes))
        options = here.cloud.stores()[store]
        rows.append([
            "all three" if shapes == SHAPES else " and ".join(shapes),
            options["s3_store_large_object_size"],
            options["s3_store_large_object_chunk_size"],
            f"{len(data) // MIB} MiB",
            "one PUT" if is_one_put else f"parts of {listed} MiB",
        ])  # fmt: skip
    story.row(
        "An image of ``large_object_size`` MB or more goes to S3 in parts of "
        "``chunk_size`` MB.",
        "The parts that arrive at S3 are those that the options say, in all three.",
        "Through the gateway an image that does not fit one part goes in parts, even "
        "if it is smaller than ``large_object_size``.  Stock Glance sends it in one "
        "PUT.",
    )
    story.table("What S3 was sent", rows)


def _number(request: Request) -> int:
    found = re.search(r"partNumber=(\d+)", request.query)
    return int(found[1]) if found else 0


def _mib(request: Request) -> int:
    length = request.headers.get("content-length")
    return int(length or request.headers["x-amz-decoded-content-length"]) // MIB


def test_thread_pools(here: Here, story: Story) -> None:
    story.step("s3_store_thread_pools")
    rows = [["", "2", "5"]]
    for shape in SHAPES:
        found = []
        for store, most in (("two-pools", 2), ("five-pools", 5)):
            together = Together(most)
            here.sent(shape, store, together)
            here.proxy.clear()
            assert len(together.events) == 6
            assert together.most == most, (shape, store)
            found.append(str(together.most))
        rows.append([shape, *found])
    story.row(
        "So many parts of an image are sent at once.",
        "A proxy before S3 holds the parts for a while and counts: as many as the "
        "option says are under way at once, and no more, in all three.",
    )
    story.table("Most parts of one image in flight, by the option", rows)


def test_the_list_of_tests(here: Here, story: Story) -> None:
    story.step("The list of tests")
    for shape in SHAPES:
        for store in ("fast", "cheap", "reliable"):
            image, answer = here.upload(shape, store)
            assert answer.status == 204
            reader = here.api(FILTER if shape == STOCK else STOCK)
            for api in (here.api(shape), reader):
                answer = api.download(image)
                assert (answer.status, answer.body == DATA) == (200, True)
            assert reader.delete(image).status == 204
            assert here.api(shape).request("GET", f"/v2/images/{image}").status == 404
    story.row(
        "Upload an image, download it again, delete it, with several drivers "
        "configured.",
        "From ``fast``, ``cheap`` and ``reliable``, and in all three shapes, the image "
        "comes back byte for byte.",
        "What the gateway has stored, stock Glance reads and deletes; what stock "
        "Glance has stored, the filter reads and deletes.",
    )


def test_it_cleans_up(here: Here, story: Story) -> None:
    for store in ("fast", "cheap", *OPTIONS):
        if store not in _NO_BUCKET:
            assert here.objects(store) == [], store
    assert not list((here.directory / "data").iterdir())
    story.step("In the end")
    story.row("", "All buckets are empty, and so is the directory of ``reliable``.")

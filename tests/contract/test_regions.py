# SPDX-License-Identifier: Apache-2.0
"""Where a bucket is, and how it is addressed."""

from __future__ import annotations

import contextlib
import logging
import pathlib
import secrets
import socket
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import pytest

from s3gateway.http.ranges import Span
from s3gateway.manage.check.store import examine
from s3gateway.s3.connection import Connection
from s3gateway.s3.store import S3Store
from tests.contract.objects import content
from tests.contract.objects import views
from tests.support.faults import s3_faults
from tests.support.faults.fault import Request
from tests.support.faults.faultproxy import FaultProxy
from tests.support.s3 import minio
from tests.support.s3.s3server import S3Server
from tests.support.s3.stores import s3_store
from tests.support.servers import names

ADVICE = "set s3_store_region_name = {region} in [fast]"


@contextlib.contextmanager
def used(store: S3Store, server: S3Server) -> Iterator[None]:
    """Create a store's bucket, and delete it with what the test has put into it."""
    yield
    store.delete("key")
    server.client().delete_bucket(Bucket=store.settings.bucket)


def works(store: S3Store) -> None:
    """Write and read, in one request and in several."""
    store.put("key", views(b"x" * 1000))
    assert content(store, "key", 1000) == b"x" * 1000
    assert len(store.stat("key").etag) > 2
    writer = store.begin("key")
    writer.send(1, views(b"part"))
    writer.commit()
    assert store.note("key").data == b"part"


@pytest.mark.parametrize(
    "first",
    [
        lambda store: store.put("key", views(b"one")),
        lambda store: store.begin("key").abort(),
        lambda store: list(store.objects("")),
        lambda store: store.read("key", Span(0, 3), size=3).close(),
    ],
    ids=["put", "begin", "list", "get"],
)
def test_a_wrong_region_is_left_for_the_right_one(
    s3: S3Server,
    caplog: pytest.LogCaptureFixture,
    first: Callable[[S3Store], Any],
) -> None:
    """Swift names its region in its refusal; so do AWS and MinIO."""
    bucket = f"region-{secrets.token_hex(8)}"
    s3.client().create_bucket(Bucket=bucket)
    s3.client().put_object(Bucket=bucket, Key="key", Body=b"one")
    store = s3_store(s3, bucket, region="eu-west-1")
    with caplog.at_level(logging.WARNING), used(store, s3):
        first(store)
        works(store)
    told = [record.getMessage() for record in caplog.records]
    told = [text for text in told if "region" in text]
    assert len(told) == 1
    assert ADVICE.format(region="us-east-1") in told[0]
    assert bucket not in told[0]


@pytest.mark.parametrize("status", [301, 307, 400])
def test_a_region_that_only_the_header_tells(s3: S3Server, status: int) -> None:
    """AWS's answers to HEAD, and to requests in the wrong region."""
    bucket = f"region-{secrets.token_hex(8)}"
    s3.client().create_bucket(Bucket=bucket)
    with FaultProxy(s3.endpoint) as proxy:
        headers = {"x-amz-bucket-region": "us-east-1"}
        fault = proxy.add(
            s3_faults.Answer(status, "Moved", headers=headers), key=bucket
        )
        store = s3_store(s3, bucket, endpoint=proxy.endpoint, region="eu-west-1")
        with used(store, s3):
            works(store)
        assert fault.events
        assert store.bucket.connection.region == "us-east-1"


@pytest.mark.parametrize(
    ("endpoint", "host"),
    [
        ("https://s3.amazonaws.com", "s3.eu-west-1.amazonaws.com"),
        ("https://s3.us-east-2.amazonaws.com", "s3.eu-west-1.amazonaws.com"),
        ("https://s3-us-west-2.amazonaws.com", "s3.eu-west-1.amazonaws.com"),
        ("https://s3.cn-north-1.amazonaws.com.cn", "s3.eu-west-1.amazonaws.com.cn"),
        ("https://s3.example:9000", "s3.example:9000"),
        ("http://192.0.2.7", "192.0.2.7"),
    ],
)
@pytest.mark.parametrize("addressing", ["path", "virtual"])
def test_aws_has_a_host_for_each_region(
    s3: S3Server, endpoint: str, host: str, addressing: str
) -> None:
    store = s3_store(s3, "images", endpoint=endpoint, addressing=addressing)
    settings = store.settings
    keys = settings.keys.current()
    moved = Connection(settings, store.bucket.transfer, keys, "eu-west-1")
    assert moved.region == "eu-west-1"
    base = moved.url("images", "key").partition("://")[2]
    by_path = addressing == "path" or host == "192.0.2.7"
    assert base == (f"{host}/images/key" if by_path else f"images.{host}/key")


def test_no_region_at_all(s3: S3Server) -> None:
    """As FlashBlade is set up: plain http, path style, no region."""
    store = s3_store(s3, f"region-{secrets.token_hex(8)}", create_bucket=True)
    assert store.settings.region == ""
    with used(store, s3):
        works(store)
        assert examine(store)[0].found == "yes"


@pytest.fixture
def localhost_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Resolve ``*.localhost``."""
    monkeypatch.setattr(socket, "getaddrinfo", names.getaddrinfo)


@pytest.mark.usefixtures("localhost_names")
@pytest.mark.parametrize("addressing", ["virtual", "path", "auto"])
@pytest.mark.parametrize(
    "name",
    [
        "swift",
        *(pytest.param(name, marks=pytest.mark.full) for name in ("minio", "rgw")),
    ],
)
def test_addressing(
    running: Callable[[str], S3Server], name: str, addressing: str
) -> None:
    server = running(name)
    bucket = f"virtual-{secrets.token_hex(8)}"
    server.client().create_bucket(Bucket=bucket)
    with FaultProxy(server.endpoint) as proxy:
        endpoint = f"http://s3.localhost:{proxy.port}"
        store = s3_store(server, bucket, endpoint=endpoint, addressing=addressing)
        with used(store, server):
            works(store)
        hosts = {request.headers["host"] for request in proxy.requests}
    in_host = addressing == "virtual"  # auto means path unless it is AWS
    host = f"s3.localhost:{proxy.port}"
    assert hosts == ({f"{bucket}.{host}"} if in_host else {host})


@pytest.mark.full
def test_minio_in_a_region_of_its_own(workspace: pathlib.Path) -> None:
    """The first tutorial had to rename its region for boto3."""
    if reason := minio.missing():
        pytest.skip(f"minio was not run: {reason}")
    with minio.serving(workspace / "minio-region", region="dc-1-north") as server:
        for region in ("dc-1-north", "", "eu-west-1"):
            bucket = f"region-{secrets.token_hex(8)}"
            store = s3_store(server, bucket, region=region, create_bucket=True)
            with used(store, server):
                works(store)
            assert store.bucket.connection.region == "dc-1-north"


@pytest.mark.full
@pytest.mark.parametrize("region", ["", "us-east-1", "default", "eu-west-1"])
def test_rgw_whose_constraint_is_a_zonegroup(
    running: Callable[[str], S3Server], region: str
) -> None:
    server = running("rgw")
    bucket = f"region-{secrets.token_hex(8)}"
    store = s3_store(server, bucket, region=region, create_bucket=True)
    with used(store, server):
        works(store)


class Bodies(s3_faults.Answer):
    """Answers 200, and keeps what was sent."""

    def __init__(self) -> None:
        super().__init__(200, done=True, body=b"")
        self.found = b""

    def request_bytes(self, request: Request, at: int, data: bytes) -> bytes:
        self.found += data
        return data


@pytest.mark.parametrize("region", ["", "us-east-1", "eu-west-1"])
def test_a_new_bucket_says_where_it_is_to_be(s3: S3Server, region: str) -> None:
    """AWS wants the region named, but not its first one."""
    with FaultProxy(s3.endpoint) as proxy:
        sent = proxy.add(Bodies(), method="PUT")
        s3_store(s3, "a", endpoint=proxy.endpoint).bucket.create(region)
    assert sent.events
    constraint = b"<LocationConstraint>eu-west-1</LocationConstraint>"
    assert (constraint in sent.found) == (region == "eu-west-1")
    assert bool(sent.found) == (region == "eu-west-1")

# SPDX-License-Identifier: Apache-2.0
"""Servers without ranges or versions: reads return the right bytes nevertheless."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator

import pytest

from s3gateway.download.failover import Copy
from s3gateway.download.pieces import Pieces
from s3gateway.errors import ObjectNotFound
from s3gateway.errors import StoreError
from s3gateway.http.ranges import Span
from s3gateway.s3.store import S3Store
from s3gateway.streams.buffers import SLAB
from s3gateway.streams.buffers import Budget
from s3gateway.streams.buffers import Slabs
from tests.contract.objects import DATA
from tests.contract.objects import read
from tests.contract.objects import views
from tests.support.faults import s3_faults
from tests.support.faults.faultproxy import FaultProxy
from tests.support.s3.s3server import S3Server
from tests.support.s3.stores import s3_store


@pytest.fixture
def proxy(s3: S3Server) -> Iterator[FaultProxy]:
    with FaultProxy(s3.endpoint) as proxy:
        yield proxy


@pytest.fixture
def store(s3: S3Server, proxy: FaultProxy) -> Iterator[S3Store]:
    """A store behind the proxy with one object, ``key``."""
    bucket = f"ranges-{secrets.token_hex(8)}"
    store = s3_store(s3, bucket, endpoint=proxy.endpoint, create_bucket=True)
    store.put("key", views(DATA))
    yield store
    store.delete("key")
    s3.client().delete_bucket(Bucket=bucket)


def ignoring_ranges(proxy: FaultProxy, store: S3Store) -> s3_faults.Answer:
    """Let the server answer any GET with the whole object."""
    headers = {"ETag": store.stat("key").etag}
    whole = s3_faults.Answer(200, body=DATA, headers=headers)
    return proxy.add(whole, method="GET", times=None)


@pytest.mark.parametrize("start", [0, 1, 100_000])
def test_a_server_that_ignores_ranges(
    proxy: FaultProxy, store: S3Store, start: int
) -> None:
    fault = ignoring_ranges(proxy, store)
    span = Span(start, 200_000)
    assert read(store, "key", span, len(DATA)) == DATA[start:200_000]
    assert not store.knows_ranges
    assert fault.events


def test_one_such_answer_is_not_the_last_word(
    proxy: FaultProxy, store: S3Store
) -> None:
    ignoring_ranges(proxy, store)
    span = Span(1, 200_000)
    assert read(store, "key", span, len(DATA)) == DATA[1:200_000]
    proxy.clear()
    assert read(store, "key", span, len(DATA)) == DATA[1:200_000]
    assert store.knows_ranges


def test_it_is_not_read_in_pieces(proxy: FaultProxy, store: S3Store) -> None:
    fault = ignoring_ranges(proxy, store)
    pieces = Pieces(4096, 1, Budget(SLAB, "download"), Slabs(0))
    reading = pieces.join(Copy(store, store.settings.bucket, "key"), len(DATA))
    reading.needs(Span(1000, 2000))
    piece = reading.begin(1000, lambda piece: piece.fetch())
    assert piece is not None
    with pytest.raises(StoreError, match="does not support ranges"):
        piece.read(1000)
    reading.leave()
    assert fault.events


def test_a_server_that_ignores_versions(proxy: FaultProxy, store: S3Store) -> None:
    ignoring_ranges(proxy, store)
    for span in (Span(0, len(DATA)), Span(7, 70)):
        with pytest.raises(ObjectNotFound):
            store.read("key", span, size=len(DATA), etag='"another"')


def test_a_version_that_a_proxy_has_weakened(proxy: FaultProxy, store: S3Store) -> None:
    """As nginx does with an answer that it may have changed."""
    weak = s3_faults.ChangedHead(lambda raw: re.sub(rb"(?i)(?<=etag: )", b"W/", raw))
    proxy.add(weak, method="GET", times=None)
    reader = store.read("key", Span(0, 10), size=len(DATA))
    reader.close()
    span = Span(10, len(DATA))
    assert read(store, "key", span, len(DATA), reader.etag) == DATA[10:]
    with pytest.raises(ObjectNotFound):
        store.read("key", span, size=len(DATA), etag='"another"')
    assert weak.events


@pytest.mark.parametrize("fault", [s3_faults.WrongRange(), s3_faults.RangeIgnored()])
def test_an_answer_to_another_question_is_not_taken(
    proxy: FaultProxy, store: S3Store, fault: s3_faults.ChangedHead
) -> None:
    wrong = proxy.add(fault, method="GET", times=None)
    with pytest.raises(StoreError):
        store.read("key", Span(10, 20), size=len(DATA))
    assert wrong.events

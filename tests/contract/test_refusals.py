# SPDX-License-Identifier: Apache-2.0
"""Servers that refuse conditional writes or lists of uploads."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from s3gateway.errors import ObjectExists
from s3gateway.errors import StoreUnavailable
from s3gateway.s3.store import S3Store
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
    bucket = f"refusals-{secrets.token_hex(8)}"
    s3.client().create_bucket(Bucket=bucket)
    yield s3_store(s3, bucket, endpoint=proxy.endpoint)
    proxy.clear()
    assert not s3.client().list_multipart_uploads(Bucket=bucket).get("Uploads")
    s3.client().delete_bucket(Bucket=bucket)


@pytest.mark.parametrize(
    ("status", "code"), [(501, "NotImplemented"), (400, "InvalidArgument")]
)
def test_where_a_condition_is_not_known_it_is_looked_first(
    store: S3Store, proxy: FaultProxy, status: int, code: str
) -> None:
    first = store.put("key", views(b"first"))
    refused = proxy.add(s3_faults.Answer(status, code), method="PUT", times=2)
    etag = store.put("key", views(b"second"), if_match=first)
    assert len(refused.events) == 2
    note = store.note("key")
    assert (note.data, note.etag) == (b"second", etag)
    proxy.add(s3_faults.Answer(status, code), method="PUT", times=2)
    with pytest.raises(ObjectExists):
        store.put("key", views(b"third"), if_match=first)
    assert store.note("key").data == b"second"
    store.delete("key")


def test_a_write_that_met_another_is_repeated_with_its_condition(
    store: S3Store, proxy: FaultProxy
) -> None:
    store.decides_between_writers()  # which is found out by writing
    met = s3_faults.Answer(409, "ConditionalRequestConflict")
    happening = proxy.add(met, method="PUT", key="/key$", times=1)
    store.put("key", views(b"ours"), if_absent=True)
    assert happening.events
    assert store.note("key").data == b"ours"
    store.delete("key")


@pytest.mark.parametrize(
    ("status", "code"), [(403, "AccessDenied"), (501, "NotImplemented")]
)
def test_uploads_that_may_not_be_listed_are_aborted_by_their_id(
    store: S3Store, proxy: FaultProxy, status: int, code: str
) -> None:
    upload = store.begin("key")
    proxy.add(s3_faults.Answer(status, code), method="GET", query="uploads")
    store.abandon("key", upload.upload_id)


def test_uploads_that_cannot_be_listed_now_may_be_left(
    store: S3Store, proxy: FaultProxy
) -> None:
    upload = store.begin("key")
    proxy.add(s3_faults.SlowDown(), method="GET", query="uploads", times=None)
    with pytest.raises(StoreUnavailable):
        store.abandon("key", upload.upload_id)

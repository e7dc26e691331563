# SPDX-License-Identifier: Apache-2.0
"""Servers, and proxies in front of them, whose answers show no dates."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator

import pytest

from s3gateway.manage.check.store import examine
from tests.contract.objects import views
from tests.support.faults import s3_faults
from tests.support.faults.faultproxy import FaultProxy
from tests.support.s3.s3server import S3Server
from tests.support.s3.stores import s3_store

LISTING = (
    "<ListBucketResult><Name>b</Name><IsTruncated>false</IsTruncated><Contents>"
    "<Key>key</Key><Size>4</Size><ETag>e</ETag>{date}</Contents></ListBucketResult>"
)


@pytest.fixture
def bucket(s3: S3Server) -> Iterator[str]:
    name = f"dates-{secrets.token_hex(8)}"
    s3.client().create_bucket(Bucket=name)
    yield name
    s3.client().delete_bucket(Bucket=name)


def changed(header: bytes, value: bytes = b"") -> s3_faults.ChangedHead:
    """Return a fault that drops a header, or gives it another value."""
    new = header + b": " + value + b"\r\n" if value else b""
    pattern = re.compile(rb"^" + header + rb":.*\r\n", re.IGNORECASE | re.MULTILINE)
    return s3_faults.ChangedHead(lambda raw: pattern.sub(new, raw))


@pytest.mark.parametrize(
    ("header", "value", "found"),
    [
        (b"Date", b"", "no Date"),
        (b"Date", b"today", "no Date"),
        (b"Last-Modified", b"", "no Last-Modified"),
        (b"Last-Modified", b"today", "no Last-Modified"),
        (b"Last-Modified", b"Thu, 01 Jan 1970 00:00:00 GMT", "no Last-Modified"),
    ],
)
def test_answers_without_dates(
    s3: S3Server, bucket: str, header: bytes, value: bytes, found: str
) -> None:
    """An object that was just written is young, whatever is not known of it."""
    with FaultProxy(s3.endpoint) as proxy:
        proxy.add(changed(header, value), times=None)
        store = s3_store(s3, bucket, endpoint=proxy.endpoint)
        store.put("key", views(b"data"))
        assert -60 < store.note("key").age < 60
        assert [-60 < each.age < 60 for each in store.objects("key")] == [True]
        store.delete("key")
        [clock] = [each for each in examine(store) if each.subject == "clock"]
    assert clock.found == found
    assert clock.advice


@pytest.mark.parametrize(
    "date",
    [
        "",
        "<LastModified></LastModified>",
        "<LastModified>today</LastModified>",
        "<LastModified>1970-01-01T00:00:00.000Z</LastModified>",
    ],
)
def test_listings_without_dates(s3: S3Server, date: str) -> None:
    with FaultProxy(s3.endpoint) as proxy:
        body = LISTING.format(date=date).encode()
        proxy.add(s3_faults.Answer(200, body=body), times=None)
        store = s3_store(s3, "any", endpoint=proxy.endpoint)
        assert [(each.key, each.age) for each in store.objects("")] == [("key", 0)]

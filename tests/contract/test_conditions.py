# SPDX-License-Identifier: Apache-2.0
"""Conditional writes on real servers, and accidents while they are tried out."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from s3gateway.errors import ObjectExists
from s3gateway.s3.store import S3Store
from tests.contract.objects import views
from tests.support import tiers
from tests.support.faults import s3_faults
from tests.support.faults.faultproxy import FaultProxy
from tests.support.s3.s3server import S3Server
from tests.support.s3.stores import s3_store

PROBE = r"/00000000-0000-0000-0000-000000000000\."

ACCIDENTS = {
    "400": lambda: s3_faults.Answer(400, "BadRequest"),
    "409": lambda: s3_faults.Answer(409, "ConditionalRequestConflict"),
    "503": lambda: s3_faults.Answer(503, "SlowDown"),
    "503, done": lambda: s3_faults.Answer(503, "SlowDown", done=True),
}
_NUMBERS = (1, 2, 4)  # the object, the first conditional PUT, one of a race


@pytest.fixture
def bucket(s3: S3Server) -> Iterator[str]:
    """A bucket; the test fails if anything is left in it."""
    name = f"conditions-{secrets.token_hex(8)}"
    client = s3.client()
    client.create_bucket(Bucket=name)
    yield name
    assert not client.list_objects_v2(Bucket=name).get("Contents")
    client.delete_bucket(Bucket=name)


def writes_once(store: S3Store) -> None:
    store.put("key", views(b"data"), if_absent=True)
    assert store.note("key").data == b"data"
    store.delete("key")


@pytest.mark.parametrize(
    ("kind", "nth"),
    tiers.but(
        [("400", 2), ("409", 1), ("503, done", 2)],
        [
            (kind, nth)
            for kind in ACCIDENTS
            for nth in (1, 2, 4)
            if (kind, nth) != ("403", 1)
        ],
    ),
)
def test_an_accident_while_a_store_is_tried_out(
    s3: S3Server, bucket: str, kind: str, nth: int
) -> None:
    """The upload goes on, nothing is left, and what is certain is found out later."""
    with FaultProxy(s3.endpoint) as proxy:
        fault = proxy.add(ACCIDENTS[kind](), method="PUT", key=PROBE, nth=nth)
        store = s3_store(s3, bucket, endpoint=proxy.endpoint)
        writes_once(store)
        assert fault.events
        tried = len([r for r in proxy.requests if "/00000000-" in r.path])
        writes_once(store)
        assert len([r for r in proxy.requests if "/00000000-" in r.path]) == tried


def test_a_server_that_knows_no_if_match_is_looked_at_first(
    s3: S3Server, bucket: str
) -> None:
    """Swift is one; and it is asked twice, since one refusal may be an accident."""
    with FaultProxy(s3.endpoint) as proxy:
        store = s3_store(s3, bucket, endpoint=proxy.endpoint)
        first = store.put("key", views(b"first"))
        refusal = proxy.add(s3_faults.Answer(400, "BadRequest"), method="PUT")
        store.put("key", views(b"second"), if_match=first)
        assert refusal.events
        asked = [r for r in proxy.requests if "if-match" in r.headers]
        assert len(asked) == 2
        assert store.note("key").data == b"second"
        with pytest.raises(ObjectExists):
            store.put("key", views(b"third"), if_match=first)
        assert store.note("key").data == b"second"
        store.delete("key")


def test_a_server_that_ignores_conditions_is_looked_at_first(
    s3: S3Server, bucket: str
) -> None:
    with FaultProxy(s3.endpoint) as proxy:
        ignored = s3_faults.Answer(200, body=b"")
        proxy.add(ignored, method="PUT", key=PROBE, nth=2)
        store = s3_store(s3, bucket, endpoint=proxy.endpoint)
        store.put("key", views(b"first"), if_absent=True)
        assert ignored.events
        with pytest.raises(ObjectExists):
            store.put("key", views(b"second"), if_absent=True)
        assert store.note("key").data == b"first"
        store.delete("key")

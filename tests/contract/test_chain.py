# SPDX-License-Identifier: Apache-2.0
"""Temporary credentials on a server that verifies them: used, expired, renewed."""

from __future__ import annotations

import dataclasses
import pathlib
import secrets
from collections.abc import Iterator

import pytest

from s3gateway.config.keys import Chain
from s3gateway.config.keys import KeyPair
from s3gateway.config.keys import Keys
from s3gateway.errors import ObjectNotFound
from s3gateway.errors import StoreError
from s3gateway.errors import StoreUnavailable
from s3gateway.http.ranges import Span
from s3gateway.manage.check import store as check
from s3gateway.manage.check.findings import Severity
from s3gateway.s3.store import S3Store
from tests.contract.objects import content
from tests.contract.objects import views
from tests.support.s3 import catalog
from tests.support.s3 import gate as gates
from tests.support.s3 import sources
from tests.support.s3.gate import Gate
from tests.support.s3.s3server import S3Server
from tests.support.s3.sources import Issuer
from tests.support.s3.stores import TRANSFER
from tests.support.s3.stores import s3_store

MIB = 1024**2
PART = secrets.token_bytes(5 * MIB)


@dataclasses.dataclass
class Ground:
    """A server that knows the keys of an issuer, and a store with a chain on it."""

    issuer: Issuer
    gate: Gate
    store: S3Store


@pytest.fixture
def ground(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    issuer = Issuer()
    gate = Gate(s3, issuer.find)
    bucket = f"chain-{secrets.token_hex(4)}"
    s3.client().create_bucket(Bucket=bucket)
    with sources.serving(issuer) as service, gates.serving(gate) as endpoint:
        for name, value in sources.instance(service).items():
            monkeypatch.setenv(name, value)
        store = s3_store(
            s3,
            bucket,
            endpoint=endpoint,
            keys=Keys(KeyPair("", "")),
            chain=Chain(),
            transfer={"retry_time": 2},
        )
        yield Ground(issuer, gate, store)


def test_all_requests_are_signed_with_them(ground: Ground) -> None:
    store = ground.store
    store.put("note", views(b"data"), if_absent=False)
    assert content(store, "note", 4) == b"data"
    assert store.stat("note").size == 4
    assert [each.key for each in store.objects("")] == ["note"]
    store.delete("note")
    with pytest.raises(ObjectNotFound):
        store.stat("note")
    store.ping()
    assert set(ground.gate.used) == {ground.issuer.issued[0].access_key}
    assert ground.gate.refused == []


def test_they_expire_in_the_middle_of_an_upload(ground: Ground) -> None:
    writer = ground.store.begin("large")
    for number in range(1, 4):
        writer.send(number, views(PART))
        ground.issuer.refuse()
    writer.commit()
    assert ground.store.stat("large").size == 3 * len(PART)
    assert content(ground.store, "large", 3 * len(PART)) == 3 * PART
    assert len(set(ground.gate.used)) == 4
    assert ground.gate.refused == ["ExpiredToken"] * 3
    ground.store.delete("large")


def test_they_expire_in_the_middle_of_a_download(ground: Ground) -> None:
    ground.store.put("large", views(PART))
    got = b""
    for start in range(0, len(PART), MIB):
        ground.issuer.refuse()
        span = Span(start, start + MIB)
        reader = ground.store.read("large", span, size=len(PART))
        while len(got) < start + MIB:
            got += reader.read(MIB)
        reader.close()
    assert got == PART
    assert len(set(ground.gate.used)) == 6
    ground.store.delete("large")


def test_an_answer_to_head_has_no_code(ground: Ground) -> None:
    ground.store.put("note", views(b"data"))
    ground.issuer.refuse()
    assert ground.store.stat("note").size == 4
    assert ground.gate.refused == ["ExpiredToken"]
    ground.store.delete("note")


def test_a_retry_is_signed_anew(ground: Ground) -> None:
    """Not with what was good when the request was first sent."""
    failures = iter([True, False])

    def send() -> None:
        if next(failures):
            ground.issuer.refuse()
            raise StoreUnavailable("Store fast answered 503 SlowDown")
        ground.store.bucket.put("note", views(b"data"))

    ground.store.ping()
    ground.store.bucket.patiently("note", send)
    assert ground.gate.used[-1] == ground.issuer.issued[-1].access_key
    ground.store.delete("note")


def test_credentials_that_stay_refused(ground: Ground) -> None:
    ground.store.ping()
    ground.issuer.steady = True
    ground.issuer.refuse()
    with pytest.raises(StoreError, match="400 ExpiredToken") as failed:
        ground.store.ping()
    assert failed.value.store_wide
    used = ground.issuer.issued[-1]
    for secret in (used.access_key, used.secret_key, used.token):
        assert secret not in str(failed.value)


def test_check_of_a_store_with_a_chain(ground: Ground) -> None:
    found = list(check.check(ground.store.settings, TRANSFER))
    assert not [each for each in found if each.severity is Severity.ERROR]
    assert "credentials: the instance role" in [each.found for each in found]
    assert "access: yes" in [each.found for each in found]


@pytest.mark.full
def test_a_web_identity_of_a_real_sts(
    workspace: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if reason := catalog.missing("moto"):
        pytest.skip(f"moto was not run: {reason}")
    token = tmp_path / "token"
    token.write_text("of-the-pod")
    with catalog.serving("moto", workspace / "moto-sts") as moto:
        moto.client().create_bucket(Bucket="images")
        environment = sources.web_identity(moto.endpoint, str(token))
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        store = s3_store(
            moto,
            "images",
            keys=Keys(KeyPair("", "")),
            chain=Chain(),
            region="us-east-1",
        )
        store.put("note", views(b"data"))
        assert content(store, "note", 4) == b"data"
        assert store.bucket.chained is not None
        assert store.bucket.chained.kind == "a web identity"
        [used] = store.settings.known_keys()[1:]
        assert used.token

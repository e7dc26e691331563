# SPDX-License-Identifier: Apache-2.0
"""The findings of ``check`` about each server, and about a store that fails."""

from __future__ import annotations

import contextlib
import datetime
import pathlib
import re
import secrets
import socket
import ssl
from collections.abc import Iterator
from email.utils import format_datetime

import pytest
import trustme

from s3gateway.config.keys import KeyPair
from s3gateway.config.keys import Keys
from s3gateway.manage.check.findings import Finding
from s3gateway.manage.check.findings import Severity
from s3gateway.manage.check.store import examine
from s3gateway.s3.store import S3Store
from tests.contract.objects import views
from tests.support import tiers
from tests.support.faults import s3_faults
from tests.support.faults.fault import Fault
from tests.support.faults.faultproxy import FaultProxy
from tests.support.s3.s3server import S3Server
from tests.support.s3.stores import s3_store

NOW = datetime.datetime.now(datetime.timezone.utc)
DAY = datetime.timedelta(days=1)

#: As measured; a server that learns something new fails here.
TABLE = {
    "swift": {
        "conditional PUT": "checks",
        "conditional Complete": "checks",
        "If-Match": "checks",
        "ranges": "yes",
        "checksums": "enforced",
        "parts": "10,000",
        "list of uploads": "all",
        "versioning": "off",
        "lifecycle": "none",
    },
    "moto": {
        "conditional PUT": "decides",
        "conditional Complete": "checks",
        "If-Match": "checks",
        "ranges": "yes",
        "checksums": "ignored",
        "parts": "10,000",
        "list of uploads": "all",
        "versioning": "off",
        "lifecycle": "none",
    },
    "rgw": {
        "conditional PUT": "decides",
        "conditional Complete": "ignored",
        "If-Match": "checks",
        "ranges": "yes",
        "checksums": "enforced",
        "parts": "10,000",
        "list of uploads": "all",
        "versioning": "off",
        "lifecycle": "none",
    },
    "minio": {
        "conditional PUT": "decides",
        "conditional Complete": "checks",
        "If-Match": "checks",
        "ranges": "yes",
        "checksums": "enforced",
        "parts": "10,000",
        "list of uploads": "all",
        "versioning": "off",
        "lifecycle": "none",
    },
    "versity": {
        "conditional PUT": "decides",
        "conditional Complete": "checks",
        "If-Match": "checks",
        "ranges": "yes",
        "checksums": "enforced",
        "parts": "10,000",
        "list of uploads": "all",
        "versioning": "off",
        "lifecycle": "unknown",
    },
}
#: These race as their threads happen to run, so that one wins by chance.
BY_CHANCE = {("moto", "conditional PUT"), ("swift", "conditional PUT")}


@pytest.fixture
def bucket(server: S3Server) -> Iterator[str]:
    """A bucket; the test fails if anything is left in it."""
    with _bucket(server) as name:
        yield name


@pytest.fixture
def bucket_of_swift(s3: S3Server) -> Iterator[str]:
    """The same on the server that every run has."""
    with _bucket(s3) as name:
        yield name


@contextlib.contextmanager
def _bucket(server: S3Server) -> Iterator[str]:
    name = f"examined-{secrets.token_hex(8)}"
    client = server.client()
    client.create_bucket(Bucket=name)
    yield name
    assert not client.list_objects_v2(Bucket=name).get("Contents")
    assert not client.list_multipart_uploads(Bucket=name).get("Uploads")
    client.delete_bucket(Bucket=name)


def test_what_servers_can_do(server: S3Server, bucket: str) -> None:
    found = {each.subject: each for each in examine(s3_store(server, bucket))}
    for name, finding in found.items():
        print(f"{server.name:8}{name:22}{finding.found:16}{finding.advice}")
    expected = Finding("store_accessible", Severity.OK, "access", "yes")
    assert found.pop("access") == expected
    assert float(found.pop("clock").found.split()[0]) < 60
    for name, state in TABLE[server.name].items():
        chance = (server.name, name) in BY_CHANCE
        assert found[name].found in ({"checks", "decides"} if chance else {state})
    assert set(found) == set(TABLE[server.name])
    for finding in found.values():
        assert bool(finding.advice) or finding.severity is Severity.OK
        assert bucket not in finding.advice


def access(store: S3Store) -> Finding:
    """Return the only finding, that of a store that cannot be used."""
    [found] = examine(store)
    assert found.subject == "access"
    for secret in (store.settings.bucket, store.settings.service):
        assert secret not in found.advice
    return found


@pytest.mark.parametrize(
    ("keys", "state", "option"),
    [
        (("{access}", "another"), "wrong secret key", "s3_store_secret_key"),
        (("ANOTHERACCESSKEY1", "{secret}"), "wrong access key", "s3_store_access_key"),
    ],
)
def test_wrong_keys(
    server: S3Server, bucket: str, keys: tuple[str, str], state: str, option: str
) -> None:
    if server.name == "moto":
        return  # it believes every signature
    pair = [k.format(access=server.access_key, secret=server.secret_key) for k in keys]
    store = s3_store(server, bucket, keys=Keys(KeyPair(*pair)))
    found = access(store)
    assert found.severity is Severity.ERROR
    # Swift does not say which of the two is wrong.
    assert found.found in (state, "wrong secret key")
    if found.found == state:
        assert f"{option} in [fast]" in found.advice


def test_a_missing_bucket(server: S3Server) -> None:
    name = f"missing-{secrets.token_hex(8)}"
    found = access(s3_store(server, name))
    assert (found.found, found.severity) == ("no bucket", Severity.ERROR)
    assert "s3_store_create_bucket_on_put = true in [fast]" in found.advice
    found = access(s3_store(server, name, create_bucket=True))
    assert (found.found, found.severity) == ("no bucket", Severity.NOTE)
    assert name not in [b["Name"] for b in server.client().list_buckets()["Buckets"]]


def test_no_right_to_write(s3: S3Server) -> None:
    with FaultProxy(s3.endpoint) as proxy:
        bucket = f"examined-{secrets.token_hex(8)}"
        s3.client().create_bucket(Bucket=bucket)
        denied = proxy.add(
            s3_faults.Answer(403, "AccessDenied"), method="PUT", times=None
        )
        found = access(s3_store(s3, bucket, endpoint=proxy.endpoint))
    assert denied.events
    assert (found.found, found.severity) == ("no write right", Severity.ERROR)
    assert "s3:PutObject" in found.advice
    s3.client().delete_bucket(Bucket=bucket)


@pytest.mark.parametrize(
    ("status", "code", "state"),
    [
        (403, "RequestTimeTooSkewed", "wrong clock"),
        (400, "AuthorizationHeaderMalformed", "wrong region"),
        (411, "MissingContentLength", "checksums not understood"),
        (400, "InvalidRequest", "request refused"),
        (503, "SlowDown", "overloaded"),
        (418, "Teapot", "failed"),
    ],
)
def test_what_else_a_server_says(
    s3: S3Server, status: int, code: str, state: str
) -> None:
    with FaultProxy(s3.endpoint) as proxy:
        fault = proxy.add(s3_faults.Answer(status, code), times=None)
        found = access(s3_store(s3, "any-bucket", endpoint=proxy.endpoint))
    assert fault.events
    assert (found.found, found.severity) == (state, Severity.ERROR)
    assert code in found.advice


def _an_hour_ahead(raw: bytes) -> bytes:
    now = datetime.datetime.now(datetime.timezone.utc)
    date = format_datetime(now + datetime.timedelta(hours=1), usegmt=True)
    return re.sub(rb"(?im)^date:.*(?=\r\n)", b"Date: " + date.encode(), raw)


LESS: dict[str, tuple[Fault, dict[str, str], str, Severity]] = {
    "ranges": (
        s3_faults.Answer(200, body=b"0123456789", headers={"ETag": '"e"'}),
        {"method": "GET", "key": r"\.[0-9a-f]{16}$"},
        "ignored",
        Severity.WARNING,
    ),
    "If-Match": (
        s3_faults.Answer(200, body=b"0123456789", headers={"ETag": '"e"'}),
        {"method": "GET", "key": r"\.[0-9a-f]{16}$"},
        "ignored",
        Severity.OK,
    ),
    "conditional PUT": (
        s3_faults.Answer(200, body=b""),
        {"method": "PUT", "query": "^$"},
        "ignored",
        Severity.NOTE,
    ),
    "parts": (
        s3_faults.Answer(400, "InvalidArgument"),
        {"method": "PUT", "query": "partNumber=10000"},
        "fewer than 10,000",
        Severity.WARNING,
    ),
    "list of uploads": (
        s3_faults.Answer(200, body=b"<ListMultipartUploadsResult/>"),
        {"method": "GET", "query": "uploads"},
        "none",
        Severity.NOTE,
    ),
    "clock": (
        s3_faults.ChangedHead(_an_hour_ahead),
        {"method": "GET", "query": "list-type"},
        "+3600 s",
        Severity.WARNING,
    ),
    "lifecycle": (
        s3_faults.Answer(501, "NotImplemented"),
        {"method": "GET", "query": "lifecycle"},
        "unknown",
        Severity.NOTE,
    ),
}


@pytest.mark.parametrize("name", tiers.but(["ranges", "If-Match", "clock"], LESS))
def test_servers_that_can_do_less(s3: S3Server, name: str) -> None:
    """Nothing but what is missing is found, and the probes go on."""
    fault, where, state, severity = LESS[name]
    bucket = f"examined-{secrets.token_hex(8)}"
    s3.client().create_bucket(Bucket=bucket)
    with FaultProxy(s3.endpoint) as proxy:
        proxy.add(fault, times=None, **where)  # type: ignore[arg-type]
        found = examine(s3_store(s3, bucket, endpoint=proxy.endpoint))
    assert fault.events
    [finding] = [each for each in found if each.subject == name]
    if name == "clock":
        assert abs(float(finding.found.split()[0]) - 3600) < 300
    else:
        assert finding.found == state
    assert finding.severity is severity
    assert finding.advice
    assert found[0].found == "yes"
    assert len(found) == len(TABLE["swift"]) + 2
    assert not s3.client().list_objects_v2(Bucket=bucket).get("Contents")
    s3.client().delete_bucket(Bucket=bucket)


@pytest.mark.parametrize("code", ["503 SlowDown", "403 AccessDenied"])
@pytest.mark.parametrize("method", ["PUT", "POST", "GET", "DELETE"])
@pytest.mark.parametrize("nth", [1, 2, 3])
def test_probes_that_fail_leave_nothing(
    s3: S3Server, bucket_of_swift: str, code: str, method: str, nth: int
) -> None:
    """Whichever request fails, and although it was done."""
    status, _, word = code.partition(" ")
    with FaultProxy(s3.endpoint) as proxy:
        answer = s3_faults.Answer(int(status), word, done=True)
        key = r"/00000000-|/[^/]+/?$"
        proxy.add(answer, method=method, key=key, nth=nth)
        transfer = {"retry_time": 2.0}
        store = s3_store(
            s3, bucket_of_swift, endpoint=proxy.endpoint, transfer=transfer
        )
        assert examine(store)
    assert answer.events


@pytest.mark.parametrize(
    ("rule", "state", "severity"),
    [
        ({"Expiration": {"Days": 9}}, "expires objects", Severity.ERROR),
        (
            {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}},
            "aborts incomplete uploads",
            Severity.OK,
        ),
    ],
)
def test_lifecycle_rules(
    server: S3Server, bucket: str, rule: dict[str, object], state: str, severity: int
) -> None:
    if server.name in ("swift", "versity") or (
        server.name == "minio" and "Expiration" not in rule
    ):
        return  # it has none, or not this one
    rules = [{"ID": "one", "Status": "Enabled", "Filter": {"Prefix": ""}, **rule}]
    server.client().put_bucket_lifecycle_configuration(
        Bucket=bucket, LifecycleConfiguration={"Rules": rules}
    )
    found = {each.subject: each for each in examine(s3_store(server, bucket))}
    assert (found["lifecycle"].found, found["lifecycle"].severity) == (state, severity)


def test_a_versioned_bucket(server: S3Server, request: pytest.FixtureRequest) -> None:
    """A trial and a check leave no more than they must."""
    if server.name in ("swift", "minio", "versity"):
        return  # two have to be set up for it, and MinIO's has to be downloaded
    client, name = server.client(), f"versioned-{secrets.token_hex(8)}"
    client.create_bucket(Bucket=name)
    client.put_bucket_versioning(
        Bucket=name, VersioningConfiguration={"Status": "Enabled"}
    )
    found = {each.subject: each for each in examine(s3_store(server, name))}
    versioning = found["versioning"]
    assert (versioning.found, versioning.severity) == ("on", Severity.NOTE)
    listed = client.list_object_versions(Bucket=name)
    left = [*listed.get("Versions", []), *listed.get("DeleteMarkers", [])]
    for each in left:
        client.delete_object(Bucket=name, Key=each["Key"], VersionId=each["VersionId"])
    client.delete_bucket(Bucket=name)
    print(f"{server.name}: {len(left)} versions and markers")
    assert len(left) < 20


def test_unreachable_servers(s3: S3Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for endpoint, state in [
        (f"http://127.0.0.1:{port}", "unreachable host"),
        ("http://no-such-host.invalid:9000", "unknown host name"),
        (s3.endpoint.replace("http:", "https:"), "no TLS"),
    ]:
        found = access(s3_store(s3, "any-bucket", endpoint=endpoint))
        assert (found.found, found.severity) == (state, Severity.ERROR)
        assert "[fast]" in found.advice


@contextlib.contextmanager
def tls_proxy(
    server: S3Server, authority: trustme.CA, address: str, end: datetime.datetime
) -> Iterator[FaultProxy]:
    """Stand in front of a server with a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(
        address, not_before=NOW - 10 * DAY, not_after=end
    ).configure_cert(context)
    with FaultProxy(server.endpoint, tls=context) as proxy:
        yield proxy


def test_tls(server: S3Server, tmp_path: pathlib.Path) -> None:
    """A private CA, and all that can be wrong with a certificate."""
    ours, theirs = trustme.CA(), trustme.CA()
    file = tmp_path / "ca.pem"
    ours.cert_pem.write_to_path(str(file))
    for authority, address, end, state in [
        (ours, "127.0.0.1", NOW + DAY, ""),
        (theirs, "127.0.0.1", NOW + DAY, "certificate not trusted"),
        (ours, "127.0.0.1", NOW - DAY, "certificate expired"),
        (ours, "127.0.0.2", NOW + DAY, "certificate of another host"),
    ]:
        with tls_proxy(server, authority, address, end) as proxy:
            store = s3_store(
                server,
                f"tls-{secrets.token_hex(8)}",
                endpoint=proxy.endpoint,
                cacert=str(file),
                create_bucket=True,
            )
            if state:
                found = access(store)
                assert (found.found, found.severity) == (state, Severity.ERROR)
                continue
            store.put("key", views(b"through TLS"))
            assert store.note("key").data == b"through TLS"
            store.delete("key")
            states = {each.subject: each.found for each in examine(store)}
            assert states["access"] == "yes"
            assert states["checksums"] == "TLS"
            server.client().delete_bucket(Bucket=store.settings.bucket)

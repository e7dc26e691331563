# SPDX-License-Identifier: Apache-2.0
"""What botocore's chain finds, how it is renewed, and what it says if it cannot."""

from __future__ import annotations

import contextlib
import datetime
import json
import logging
import pathlib
import sys
import threading
import time
from collections.abc import Iterator
from typing import cast

import pytest
from botocore.exceptions import ClientError

from s3gateway.config.keys import Chain
from s3gateway.config.keys import KeyPair
from s3gateway.config.keys import Keys
from s3gateway.errors import StoreDenied
from s3gateway.errors import StoreError
from s3gateway.errors import StoreUnavailable
from s3gateway.manage.check import store as check
from s3gateway.manage.check.findings import Severity
from s3gateway.s3 import credentials
from s3gateway.s3 import logs
from s3gateway.s3 import sources as of_sources
from s3gateway.s3.connection import Access
from s3gateway.s3.connection import Connection
from s3gateway.s3.credentials import Chained
from tests.support.clock import Clock
from tests.support.s3 import sources
from tests.support.s3.memory import store_settings
from tests.support.s3.sources import Issuer
from tests.support.s3.stores import TRANSFER

NO_KEYS = Keys(KeyPair("", ""))


@pytest.fixture(autouse=True)
def _time_for_a_busy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs are waited for however long they need to start."""
    monkeypatch.setattr(credentials, "_LONGEST", 120.0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("s3gateway.s3.credentials.time", clock)
    return clock


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def service(issuer: Issuer) -> Iterator[str]:
    with sources.serving(issuer) as url:
        yield url


@pytest.fixture
def instance(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the process run on a host with an instance role."""
    set_all(monkeypatch, sources.instance(service))


def set_all(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


def chained(profile: str = "") -> Chained:
    chain = Chain(profile)
    return Chained(store_settings(keys=NO_KEYS, chain=chain, region="eu-1"), chain)


def pair(found: Chained) -> KeyPair:
    frozen = found.get_frozen_credentials()
    return KeyPair(frozen.access_key, frozen.secret_key, frozen.token or "")


@pytest.mark.usefixtures("instance")
def test_an_instance_role(issuer: Issuer) -> None:
    found = chained()
    assert pair(found) == issuer.issued[-1]
    assert (found.kind, found.lasting) == ("the instance role", True)


def test_container_credentials(
    service: str, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_all(monkeypatch, sources.container(service))
    found = chained()
    assert pair(found) == issuer.issued[-1]
    assert (found.kind, found.lasting) == ("container credentials", True)


def test_a_web_identity(
    service: str,
    issuer: Issuer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: pathlib.Path,
) -> None:
    token = tmp_path / "token"
    token.write_text("of-the-pod")
    set_all(monkeypatch, sources.web_identity(service, str(token)))
    found = chained()
    assert pair(found) == issuer.issued[-1]
    assert (found.kind, found.lasting) == ("a web identity", True)


def test_a_web_identity_that_sts_does_not_know(
    service: str, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    token = tmp_path / "token"
    token.write_text("of-another-pod")
    set_all(monkeypatch, sources.web_identity(service, str(token)))
    with pytest.raises(StoreUnavailable) as failed:
        pair(chained())
    assert "a web identity failed (InvalidIdentityToken)" in str(failed.value)
    assert "AWS_WEB_IDENTITY_TOKEN_FILE" in str(failed.value)


def test_environment_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "FROMENVIRONMENT")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-environment")
    found = chained()
    assert pair(found) == KeyPair("FROMENVIRONMENT", "secret-of-environment")
    assert (found.kind, found.lasting) == ("environment variables", True)


def test_a_session_token_that_nothing_renews(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "FROMENVIRONMENT")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-environment")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token-of-environment")
    found = chained()
    assert pair(found).token == "token-of-environment"
    assert not found.lasting


class Files:
    """The AWS files of a user."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.credentials = directory / "credentials"
        self.config = directory / "config"
        self.program = directory / "program.py"

    def profile(self, name: str, access: str, secret: str) -> None:
        self.credentials.write_text(
            f"[{name}]\naws_access_key_id = {access}\n"
            f"aws_secret_access_key = {secret}\n"
        )

    def shell(self, script: str) -> None:
        """Have a credential process that begins at once, even on a busy host."""
        self.program.write_text(script)
        self.config.write_text(f"[default]\ncredential_process = sh {self.program}\n")

    def process(self, code: str) -> None:
        self.program.write_text(code)
        self.config.write_text(
            f"[default]\ncredential_process = {sys.executable} {self.program}\n"
        )


@pytest.fixture
def files(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    files = Files(tmp_path)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(files.credentials))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(files.config))
    return files


def test_a_profile_comes_before_the_environment(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "FROMENVIRONMENT")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-environment")
    files.profile("images", "FROMPROFILE", "secret-of-profile")
    found = chained("images")
    assert pair(found) == KeyPair("FROMPROFILE", "secret-of-profile")
    assert found.kind == "a credentials file"


def test_a_profile_that_there_is_not(files: Files) -> None:
    files.profile("images", "FROMPROFILE", "secret-of-profile")
    with pytest.raises(StoreUnavailable) as failed:
        pair(chained("imags"))
    assert "the chain failed (ProfileNotFound)" in str(failed.value)
    assert "s3_store_profile" in str(failed.value)


def test_a_credential_process(files: Files) -> None:
    answer = {
        "Version": 1,
        "AccessKeyId": "FROMPROCESS",
        "SecretAccessKey": "secret-of-process",
        "SessionToken": "token-of-process",
        "Expiration": "2999-01-01T00:00:00Z",
    }
    files.process(f"print({json.dumps(json.dumps(answer))})")
    found = chained()
    assert pair(found) == KeyPair(
        "FROMPROCESS", "secret-of-process", "token-of-process"
    )
    assert (found.kind, found.lasting) == ("a credential process", True)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("raise SystemExit('secret-of-process')", "CredentialRetrievalError"),
        ("print('secret-of-process')", "JSONDecodeError"),
        ("print('[\"secret-of-process\"]')", "AttributeError"),
        ("print('{\"Version\": 1}')", "CredentialRetrievalError"),
    ],
)
def test_a_credential_process_that_fails(
    files: Files, code: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    files.process(code)
    with pytest.raises(StoreUnavailable) as failed:
        pair(chained())
    assert f"a credential process failed ({kind})" in str(failed.value)
    assert failed.value.store_wide
    assert failed.value.__suppress_context__
    assert "secret-of-process" not in f"{failed.value}{caplog.text}"


def test_a_chain_without_credentials(clock: Clock) -> None:
    found = chained()
    with pytest.raises(StoreDenied, match="botocore's chain finds none") as failed:
        pair(found)
    assert failed.value.code == credentials.NONE_FOUND
    assert "instance role" in str(failed.value)


def test_a_chain_is_not_asked_for_each_request(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = chained()
    with pytest.raises(StoreDenied):
        pair(found)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "FROMENVIRONMENT")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-environment")
    clock.now += 4
    with pytest.raises(StoreDenied):
        pair(found)
    clock.now += 2
    assert pair(found).access_key == "FROMENVIRONMENT"


def test_what_expires_soon_is_renewed(
    service: str, issuer: Issuer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_all(monkeypatch, sources.container(service))
    issuer.lifetime = 60
    found = chained()
    first = pair(found)
    clock.now += 6
    second = pair(found)
    assert second != first
    assert second == issuer.issued[-1]


def test_what_is_still_valid_is_used_while_it_cannot_be_renewed(
    service: str,
    issuer: Issuer,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    set_all(monkeypatch, sources.container(service))
    issuer.lifetime = 500
    found = chained()
    first = pair(found)
    issuer.broken = True
    clock.now += 6
    assert pair(found) == first
    assert "during mandatory refresh period" in caplog.text
    for each in (first.secret_key, first.token):
        assert each not in caplog.text


def test_what_expires_in_a_moment_is_not_used(
    service: str, issuer: Issuer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_all(monkeypatch, sources.container(service))
    issuer.lifetime = 28
    found = chained()
    pair(found)
    issuer.broken = True
    clock.now += 6
    with pytest.raises(StoreUnavailable, match="container credentials failed"):
        pair(found)
    asked = issuer.asked
    issuer.broken = False
    clock.now += 4
    with pytest.raises(StoreUnavailable, match="container credentials failed"):
        pair(found)  # it has a rest
    assert issuer.asked == asked
    clock.now += 2
    assert pair(found) == issuer.issued[-1]


def _said(**others: object) -> str:
    """Return a shell script that prints credentials."""
    answer = {
        "Version": 1,
        "AccessKeyId": "FROMPROCESS",
        "SecretAccessKey": "secret-of-process",
        "SessionToken": "token-of-process",
        "Expiration": "2999-01-01T00:00:00Z",
        **others,
    }
    return f"cat <<'END'\n{json.dumps(answer)}\nEND\n"


@pytest.fixture
def hanging(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[pathlib.Path]:
    """Have little patience; return what a program waits for in ``_WAIT``."""
    monkeypatch.setattr(credentials, "_LONGEST", 2.0)
    yield tmp_path / "go"
    (tmp_path / "go").touch()


_WAIT = "until test -e '{}'; do sleep 0.05; done\n"


def test_a_source_that_hangs_holds_no_thread(
    files: Files, hanging: pathlib.Path, clock: Clock
) -> None:
    files.shell(f"{_WAIT.format(hanging)}{_said()}")
    found = chained()
    failed: list[str] = []

    def ask() -> None:
        with pytest.raises(StoreUnavailable) as error:
            pair(found)
        failed.append(str(error.value))

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(failed) == 8
    assert "a credential process failed (TimeoutError)" in failed[0]
    hanging.touch()
    while found._calls.is_running("custom-process"):
        time.sleep(0.05)
    files.shell("exit 1")  # what came too late is good enough
    clock.now += 6
    assert pair(found).access_key == "FROMPROCESS"


def said_at_last(found: Chained, clock: Clock) -> KeyPair:
    """Return what a program says, however long this machine needs to start it."""
    while True:
        with contextlib.suppress(StoreUnavailable):
            return pair(found)
        clock.now += 6


def test_what_is_valid_is_used_while_a_source_hangs(
    files: Files, hanging: pathlib.Path, clock: Clock
) -> None:
    soon = datetime.datetime.now(datetime.timezone.utc)
    expires = (soon + datetime.timedelta(minutes=9)).isoformat()
    files.shell(_said(Expiration=expires))
    found = chained()
    first = said_at_last(found, clock)
    files.shell(f"{_WAIT.format(hanging)}{_said(SessionToken='another')}")
    clock.now += 6
    assert pair(found) == first
    clock.now += 6
    began = time.monotonic()
    assert pair(found) == first
    assert time.monotonic() - began < credentials._LONGEST  # it was over before
    hanging.touch()
    while pair(found) == first:
        time.sleep(0.05)
        clock.now += 6
    assert pair(found).token == "another"


@pytest.mark.parametrize(
    "odd",
    [
        {"SessionToken": "token-of-process\n"},
        {"AccessKeyId": "FROM PROCESS"},
        {"SecretAccessKey": cast("str", ["secret-of-process"])},
        {"SecretAccessKey": "secret-of-pr\u00f6cess"},
    ],
)
def test_what_cannot_be_a_key_is_not_used(
    files: Files, odd: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """A line end in a token would fail in the HTTP library, which shows the token."""
    files.shell(_said(**odd))
    with pytest.raises(StoreUnavailable) as failed:
        pair(chained())
    assert "a credential process failed (UnusableCredentials)" in str(failed.value)
    assert "of-process" not in f"{failed.value}{caplog.text}"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("InvalidIdentityToken", "InvalidIdentityToken"),
        ("the token is: of-the-pod", "ClientError"),
        (None, "ClientError"),
    ],
)
def test_only_a_word_is_taken_for_a_code(code: object, kind: str) -> None:
    error = ClientError({"Error": {"Code": code}}, "AssumeRole")
    assert of_sources.kind_of(error) == kind


class Server:
    """Stands for S3: it takes the newest keys only."""

    def __init__(self, issuer: Issuer, code: str = "ExpiredToken") -> None:
        self.issuer = issuer
        self.code = code
        self.asked: list[KeyPair] = []

    def ask(self, connection: Connection) -> str:
        headers = connection.signer.headers("GET", "http://s3.example/", {}, "-")
        access_key = headers["Authorization"].partition("Credential=")[2][:20]
        found = self.issuer.find(access_key)
        assert found is not None
        used, good = found
        assert headers["X-Amz-Security-Token"] == used.token
        assert "x-amz-security-token" in headers["Authorization"]
        self.asked.append(used)
        if not good:
            error = StoreError(f"Store fast answered 400 {self.code}")
            error.code = self.code
            raise error
        return "done"


def access() -> Access:
    return Access(store_settings(keys=NO_KEYS, chain=Chain(), region="eu-1"), TRANSFER)


@pytest.mark.usefixtures("instance")
@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidToken", "400", "403"])
def test_what_s3_refuses_is_looked_for_again(issuer: Issuer, code: str) -> None:
    store, server = access(), Server(issuer, code)
    assert store.allowed(server.ask) == "done"
    issuer.refuse()
    assert store.allowed(server.ask) == "done"
    assert server.asked == [issuer.issued[0], *issuer.issued]


@pytest.mark.usefixtures("instance")
def test_it_is_looked_for_once(issuer: Issuer, clock: Clock) -> None:
    issuer.steady = True  # the service has nothing new
    store, server = access(), Server(issuer)
    store.allowed(server.ask)
    issuer.refuse()
    asked = issuer.asked
    for _ in range(3):
        with pytest.raises(StoreError, match="ExpiredToken"):
            store.allowed(server.ask)
    assert issuer.asked == asked + 1
    assert len(server.asked) == 4
    clock.now += 6
    issuer.steady = False
    assert store.allowed(server.ask) == "done"


@pytest.mark.usefixtures("instance")
def test_a_missing_right_is_no_reason_to_look(issuer: Issuer) -> None:
    store, server = access(), Server(issuer, "AccessDenied")
    store.allowed(server.ask)
    issuer.refuse()
    with pytest.raises(StoreError, match="AccessDenied"):
        store.allowed(server.ask)
    assert len(issuer.issued) == 1


@pytest.mark.usefixtures("instance")
def test_many_threads_look_once(issuer: Issuer) -> None:
    store, server = access(), Server(issuer)
    store.allowed(server.ask)
    issuer.refuse()
    done: list[str] = []
    threads = [
        threading.Thread(target=lambda: done.append(store.allowed(server.ask)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == ["done"] * 8
    assert len(issuer.issued) == 2


def test_a_profile_that_another_program_writes_is_read_again(files: Files) -> None:
    files.profile("default", "OLDACCESSKEY", "old-secret-of-20-bytes")
    store = access()
    asked = []

    def ask(connection: Connection) -> str:
        asked.append(connection.signer.credentials.get_frozen_credentials().access_key)
        if asked[-1] == "OLDACCESSKEY":
            files.profile("default", "NEWACCESSKEY", "new-secret-of-20-bytes")
            error = StoreDenied("Store fast answered 403 InvalidAccessKeyId")
            error.code = "InvalidAccessKeyId"
            raise error
        return "done"

    assert store.allowed(ask) == "done"
    assert asked == ["OLDACCESSKEY", "NEWACCESSKEY"]


@pytest.mark.usefixtures("instance")
def test_a_client_of_boto3_signs_with_them(issuer: Issuer) -> None:
    seen = []

    def ask(connection: Connection) -> None:
        def stop(request: object, **others: object) -> None:
            seen.append(dict(request.headers))  # type: ignore[attr-defined]
            raise StoreUnavailable("stopped")

        connection.client.meta.events.register_last("before-send.s3", stop)
        connection.client.list_objects_v2(Bucket="fast")

    with pytest.raises(StoreUnavailable, match="stopped"):
        access().allowed(ask)
    [headers] = seen
    assert headers["X-Amz-Security-Token"] == issuer.issued[-1].token.encode()


def test_what_was_used_is_noted() -> None:
    chain = Chain()
    for number in range(9):
        chain.note(KeyPair("A", f"{number}", "token"))
        chain.note(KeyPair("A", f"{number}", "token"))
    assert [each.secret_key for each in chain.used()] == ["5", "6", "7", "8"]
    assert "token" not in repr(chain.used())


def test_the_log_of_botocore_has_no_texts_of_errors(
    caplog: pytest.LogCaptureFixture,
) -> None:
    logs.keep_secrets_out()
    logger = logging.getLogger("botocore.credentials")
    try:
        raise ValueError("secret-of-process")
    except ValueError:
        logger.warning("Refreshing failed during %s period.", "advisory", exc_info=True)
    assert "Refreshing failed during advisory period. (ValueError)" in caplog.text
    assert "secret-of-process" not in caplog.text


@pytest.mark.usefixtures("instance")
def test_check_says_which_kind_they_are(issuer: Issuer) -> None:
    settings = store_settings(
        endpoint="http://127.0.0.1:9", keys=NO_KEYS, chain=Chain(), region="eu-1"
    )
    found = list(check.check(settings, TRANSFER, write=False))
    assert (Severity.OK, "credentials: the instance role") in [
        (each.severity, each.found) for each in found
    ]
    assert "no keys for Glance's own driver" in [each.found for each in found]
    shown = str([each.row() for each in found])
    used = issuer.issued[-1]
    for secret in (used.access_key, used.secret_key, used.token):
        assert secret not in shown


def test_check_says_that_there_are_none() -> None:
    settings = store_settings(
        endpoint="http://127.0.0.1:9", keys=NO_KEYS, chain=Chain()
    )
    found = list(check.check(settings, TRANSFER, write=False))
    [problem] = [each for each in found if each.severity is Severity.ERROR]
    assert problem.found == "access: no credentials"
    assert "run it as the gateway's user" in problem.advice


def test_check_warns_of_a_token_that_nothing_renews(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "FROMENVIRONMENT")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-environment")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token-of-environment")
    settings = store_settings(
        endpoint="http://127.0.0.1:9", keys=NO_KEYS, chain=Chain()
    )
    found = list(check.check(settings, TRANSFER, write=False))
    assert (Severity.WARNING, "credentials: environment variables") in [
        (each.severity, each.found) for each in found
    ]

# SPDX-License-Identifier: Apache-2.0
"""``check`` proves the seal of a gateway: real requests to a face over real sockets."""

from __future__ import annotations

import dataclasses
import datetime
import http.server
import json
import pathlib
import socket
import ssl
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import pytest
import trustme

from s3gateway.config.keys import KeyPair
from s3gateway.config.keys import Keys
from s3gateway.errors import StoreDenied
from s3gateway.face import signature
from s3gateway.manage import main
from s3gateway.manage.check import command
from s3gateway.manage.check import face
from tests.support import schema
from tests.support.face import serving
from tests.support.face.serving import PAIR
from tests.support.s3.memory import MemoryStore
from tests.support.s3.memory import store_settings
from tests.support.s3.stores import TRANSFER
from tests.support.servers import web
from tests.support.servers.processes import free_port

IMPATIENT = dataclasses.replace(TRANSFER, retry_time=0.1)


@dataclasses.dataclass
class Sealed:
    """A face that is served.

    :ivar keys: its file of key pairs
    """

    url: str
    store: MemoryStore
    keys: pathlib.Path

    def codes(self, pair: KeyPair = PAIR, **changes: Any) -> list[str]:
        store = store_settings(keys=Keys(pair), **changes)
        return [each.code for each in face.check(store, self.url, pair, IMPATIENT)]


@pytest.fixture
def sealed(tmp_path: pathlib.Path) -> Iterator[Sealed]:
    store = MemoryStore(store_settings(region="eu-central-1"))
    with serving.over(store, tmp_path, IMPATIENT) as url:
        yield Sealed(url, store, tmp_path / "face-keys")


def test_a_face(sealed: Sealed) -> None:
    assert sealed.codes() == ["face_answers", "face_refuses"]
    assert sealed.codes(region="eu-central-1") == ["face_answers", "face_refuses"]


def test_all_that_a_face_refuses_is_named(sealed: Sealed) -> None:
    store = store_settings(keys=Keys(PAIR))
    *_, refuses = face.check(store, sealed.url, PAIR, IMPATIENT)
    for what in (
        "an unsigned request",
        "a wrong secret key",
        "an unknown access key",
        "another bucket",
        "the key of no image",
        "a list of the bucket",
        "an old date",
    ):
        assert what in refuses.found


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        (
            {"pair": KeyPair("FACEKEY", "another-secret-of-29-bytes")},
            "face_refuses_key",
        ),
        ({"pair": KeyPair("OTHERKEY", PAIR.secret_key)}, "face_refuses_key"),
        ({"bucket": "other"}, "face_has_no_such_bucket"),
        ({"region": "eu-west-9"}, "face_in_another_region"),
    ],
    ids=lambda value: str(value) if isinstance(value, str) else "",
)
def test_a_section_that_does_not_fit(
    sealed: Sealed, changes: dict[str, Any], code: str
) -> None:
    assert sealed.codes(**changes) == [code]


def test_a_clock_that_is_wrong(sealed: Sealed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signature, "SKEW", datetime.timedelta(days=-1))
    assert sealed.codes() == ["face_clock_differs"]


def test_a_face_that_does_not_know_the_drivers_virtual_style(
    sealed: Sealed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """boto3 asks the bucket's name, which resolves, and the face has no domain."""
    resolve = socket.getaddrinfo
    here = "127.0.0.1"
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda _, *words, **more: resolve(here, *words, **more)
    )
    sealed.url = sealed.url.replace(here, "localhost")
    assert sealed.codes(addressing="virtual") == ["face_without_domain"]
    assert sealed.codes(addressing="path") == ["face_answers", "face_refuses"]


@pytest.mark.parametrize(
    ("url", "noted"),
    [
        ("http://127.0.0.1:9293", False),
        ("http://[::1]:9293", False),
        ("http://localhost:9293", False),
        ("http://192.0.2.11:9293", True),
        ("http://gateway:9293", True),
        ("https://gateway:9293", False),
    ],
)
def test_a_network_that_others_may_read(
    url: str, noted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(face._Asked, "code", lambda *_: "NoSuchKey")
    found = face.check(store_settings(keys=Keys(PAIR)), url, PAIR, IMPATIENT)
    codes = {each.code: each.severity.name for each in found}
    assert codes.get("face_without_tls") == ("NOTE" if noted else None)


def test_a_gateway_whose_own_keys_are_refused(sealed: Sealed) -> None:
    def refused(*words: object) -> None:
        raise StoreDenied("Store fast answered 403 AccessDenied")

    sealed.store.before = refused
    assert sealed.codes() == ["face_without_store"]


class NotFound(http.server.BaseHTTPRequestHandler):
    """An S3 server that looks at no signature."""

    def do_GET(self) -> None:
        body = b"<Error><Code>NoSuchKey</Code></Error>"
        self.send_response(404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        pass


def test_what_is_no_face_does_not_pass() -> None:
    store = store_settings(keys=Keys(PAIR))
    with web.serving(NotFound) as url:
        found = list(face.check(store, url, PAIR, IMPATIENT))
    assert [each.code for each in found] == ["face_answers", "face_does_not_refuse"]
    assert "an old date" in found[1].found


def test_a_certificate_that_is_not_trusted(tmp_path: pathlib.Path) -> None:
    authority, other = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "right.pem"))
    other.cert_pem.write_to_path(str(tmp_path / "wrong.pem"))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    place = store_settings(keys=Keys(PAIR))
    with web.serving(NotFound, tls) as url:
        at_another_name = url.replace("127.0.0.1", "localhost")
        for face_url, file, code in (
            (url, "right.pem", "face_answers"),
            (url, "wrong.pem", "face_not_trusted"),
            (at_another_name, "right.pem", "face_not_trusted"),
            (url.replace("https:", "http:"), "right.pem", "face_does_not_answer"),
        ):
            store = dataclasses.replace(place, cacert=str(tmp_path / file))
            first, *_ = face.check(store, face_url, PAIR, IMPATIENT)
            assert first.code == code


def test_where_nothing_listens() -> None:
    store = store_settings(keys=Keys(PAIR))
    url = f"http://127.0.0.1:{free_port()}"
    [finding] = face.check(store, url, PAIR, IMPATIENT)
    assert finding.code == "face_does_not_answer"
    assert str(finding.severity.name) == "ERROR"


_GLANCE = """
[DEFAULT]
enabled_backends = fast:s3
[glance_store]
default_backend = fast
[fast]
s3_store_host = {host}
s3_store_access_key = {pair.access_key}
s3_store_secret_key = {pair.secret_key}
s3_store_bucket = fast
"""
_GATEWAY = """
[s3gateway]
glance_url = http://127.0.0.1:9
face_url = {url}
face_keys = {keys}
"""

Run = Callable[..., tuple[int, dict[str, str], dict[str, Any]]]


@pytest.fixture
def run(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Run ``check``; return its code, its rows' states by code, and all it said."""
    etc = tmp_path / "glance"
    etc.mkdir()
    monkeypatch.setattr(command, "check_store", lambda *words, **more: [])

    def check(text: str, *words: str) -> tuple[int, dict[str, str], dict[str, Any]]:
        path = etc / "glance-api.conf"
        path.write_text(text)
        code = main([f"--config-file={path}", "check", "--json", *words])
        found = schema.valid(json.loads(capsys.readouterr().out))
        rows = found.get("rows", [])
        return code, {row["code"]: row["state"] for row in rows}, found

    return check


def test_on_a_host_of_glance(sealed: Sealed, run: Run, tmp_path: pathlib.Path) -> None:
    text = _GLANCE.format(host=sealed.url, pair=PAIR)
    _, states, document = run(text, "--face", sealed.url)
    assert states.get("face_answers") == states.get("face_refuses") == "ok", document
    assert states["files_without_keys"] == "ok"
    # What only concerns a gateway is not asked.
    assert not any(code.startswith(("pipeline", "glance_id")) for code in states)

    (tmp_path / "glance" / "glance-api.conf~").write_text(
        _GLANCE.format(host="https://s3.example", pair=KeyPair("REAL", "real-secret"))
    )
    code, states, document = run(text, "--face", sealed.url)
    assert (code, states["key_in_file"]) == (1, "error")
    assert "real-secret" not in json.dumps(document)
    assert PAIR.secret_key not in json.dumps(document)


def test_a_store_that_is_still_at_s3(sealed: Sealed, run: Run) -> None:
    text = _GLANCE.format(host="https://s3.example", pair=KeyPair("REAL", "r" * 20))
    code, states, _ = run(text, "--face", sealed.url)
    assert (code, states["store_not_at_face"], states["key_in_file"]) == (
        1,
        "error",
        "error",
    )
    assert "face_answers" not in states


@pytest.mark.parametrize(
    ("word", "other"), [("http:", "https:"), ("127.0.0.1", "localhost")]
)
def test_a_store_at_another_address_of_the_face(
    sealed: Sealed, run: Run, word: str, other: str
) -> None:
    """So is a host that was left out when the address changed; it has no key of S3."""
    text = _GLANCE.format(host=sealed.url, pair=PAIR)
    code, states, _ = run(text, "--face", sealed.url.replace(word, other))
    assert (code, states["store_at_another_address"]) == (1, "error")
    assert states["files_without_keys"] == "ok"
    assert not {"store_not_at_face", "face_answers"} & states.keys()


def test_on_the_host_of_the_gateway(sealed: Sealed, run: Run) -> None:
    """It takes the face from the configuration; the keys of S3 are at home there."""
    real = _GLANCE.format(host="https://s3.example", pair=KeyPair("REAL", "r" * 20))
    ours = _GATEWAY.format(url=sealed.url, keys=sealed.keys)
    _, states, _ = run(f"{real}{ours}")
    assert states["face_answers"] == states["face_refuses"] == "ok"
    assert "face_opens_with_key_of_s3" not in states
    assert "key_in_file" not in states


@pytest.mark.parametrize(
    "line", [f"REAL {'x' * 20}", f"ANOTHER {'r' * 20}"], ids=["access", "secret"]
)
def test_a_face_that_takes_a_key_of_s3(sealed: Sealed, run: Run, line: str) -> None:
    """It has to while locations are rewritten, and Glance may be left with that key."""
    with sealed.keys.open("a") as file:
        file.write(f"{line} for the time being\n")
    real = _GLANCE.format(host="https://s3.example", pair=KeyPair("REAL", "r" * 20))
    ours = _GATEWAY.format(url=sealed.url, keys=sealed.keys)
    code, states, document = run(f"{real}{ours}")
    assert (code, states["face_opens_with_key_of_s3"]) == (1, "error")
    assert states["face_answers"] == "ok"
    assert "REAL" not in json.dumps(document)


def test_files_are_searched_behind_a_face_alone(run: Run) -> None:
    text = _GLANCE.format(host="https://s3.example", pair=KeyPair("REAL", "r" * 20))
    code, _, document = run(text, "--search", "/etc")
    assert code == 2
    assert document["error"].startswith("--search: name the face as well")


def test_a_face_that_was_not_named(sealed: Sealed, run: Run) -> None:
    code, states, _ = run(_GLANCE.format(host=sealed.url, pair=PAIR))
    assert (code, states["store_is_a_face"]) == (1, "error")

# SPDX-License-Identifier: Apache-2.0
"""Locations moved to the face and back, row by row, and what keeps them from it."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import functools
import http.server
import json
import pathlib
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from s3gateway.errors import GlanceError
from s3gateway.glance.releases import Traits
from s3gateway.manage import location_rows
from s3gateway.manage import main
from s3gateway.manage import relocation
from s3gateway.manage.context import Context
from s3gateway.manage.location_rows import LocationRow
from s3gateway.manage.location_rows import decrypted
from s3gateway.manage.operator import Operator
from tests.support import schema
from tests.support.servers import web
from tests.support.servers.processes import free_port

SECRET = "a-secret-of-20-bytes"
FACE_SECRET = "face-secret-of-25-bytes-x"

CONFIG = """
[DEFAULT]
enabled_backends = fast:s3,cheap:s3,local:file
[glance_store]
default_backend = fast
[s3gateway]
retry_time = 0
[backend_defaults]
s3_store_host = {host}
s3_store_access_key = {key}
s3_store_secret_key = {secret}
[fast]
s3_store_bucket = fast
[cheap]
s3_store_bucket = cheap
"""


class Server(http.server.BaseHTTPRequestHandler):
    """An S3 server that answers HEAD to those who have its key."""

    def __init__(self, access_key: str, missing: set[str], *rest: object) -> None:
        self._access_key = access_key
        self._missing = missing
        super().__init__(*rest)  # type: ignore[arg-type]

    def do_HEAD(self) -> None:
        known = f"Credential={self._access_key}/" in self.headers["Authorization"]
        there = not any(key in self.path for key in self._missing)
        self.send_response((200 if there else 404) if known else 403)
        self.send_header("Content-Length", "4")
        self.end_headers()

    def log_message(self, *words: object) -> None:
        pass


class Face(Server):
    """A face, which lists nothing."""

    def do_GET(self) -> None:
        body = b"<Error><Code>NotImplemented</Code></Error>"
        self.send_response(501)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Rows:
    """The rows of Glance's database.

    :ivar stop_after: so many rows are replaced before ``stops`` is raised
    :ivar written_back: as often Glance writes back what it had read, by row
    :ivar imported: the images that Glance imports
    """

    def __init__(self) -> None:
        self.kept: dict[int, LocationRow] = {}
        self.stop_after: int | None = None
        self.stops: type[BaseException] = KeyboardInterrupt
        self.elsewhere: set[int] = set()
        self.written_back: collections.Counter[int] = collections.Counter()
        self.imported: set[str] = set()

    def add(
        self, url: str, *, store: object = "fast", needed: bool = True
    ) -> LocationRow:
        number = len(self.kept) + 1
        metadata = {} if store is None else {"store": store}
        row = LocationRow(number, str(uuid.uuid4()), url, metadata, needed, url)
        self.kept[number] = row
        return row

    def all(self) -> Iterator[LocationRow]:
        yield from list(self.kept.values())

    def replace(self, row: LocationRow, url: str) -> bool:
        if self.stop_after is not None:
            self.stop_after -= 1
            if self.stop_after < 0:
                raise self.stops("it stops here")
        if row.id in self.elsewhere or self.kept[row.id].stored != row.stored:
            return False
        if self.written_back[row.id]:
            self.written_back[row.id] -= 1
            return True
        self.kept[row.id] = dataclasses.replace(row, url=url, stored=url)
        return True

    def importing(self, since: datetime.datetime) -> frozenset[str]:
        return frozenset(self.imported)

    def urls(self) -> list[str]:
        return [row.url for row in self.kept.values()]


class Bench:
    """The command, an S3 server and a face."""

    def __init__(
        self,
        directory: pathlib.Path,
        s3: str,
        face: str,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        self.rows: Any = Rows()
        self.s3, self.face = s3, face
        self.said = ""
        self.missing: set[str] = set()
        self.config = directory / "glance-api.conf"
        self.face_keys = directory / "face.keys"
        self.s3_keys = directory / "s3.keys"
        self.face_keys.write_text(
            f"FACEKEY {FACE_SECRET}\nOTHER {FACE_SECRET} second\n"
        )
        self.s3_keys.write_text(f"ACCESSKEY {SECRET}\n")
        self._capsys = capsys
        self._monkeypatch = monkeypatch
        self.configure(s3, "ACCESSKEY", SECRET)
        self.glance(Traits(credentials_in_uris=True))

    def configure(self, host: str, key: str, secret: str) -> None:
        self.config.write_text(CONFIG.format(host=host, key=key, secret=secret))

    def glance(self, traits: Traits, *, remote: bool = False) -> None:
        rows = None if remote else self.rows
        operator = Operator(
            lambda environ, start_response: [], lambda asked: asked, traits, rows=rows
        )
        self._monkeypatch.setattr(Context, "glance", operator)

    def __call__(self, *words: str) -> tuple[int, dict[str, Any]]:
        line = [f"--config-file={self.config}", "locations", *words, "--json"]
        code = main(line)
        printed = self._capsys.readouterr()
        self.said = printed.err
        for secret in (SECRET, FACE_SECRET):
            assert secret not in printed.out + printed.err
        return code, schema.valid(json.loads(printed.out))

    def seal(self, *words: str) -> tuple[int, dict[str, Any]]:
        keys = ["--key-file", str(self.face_keys)]
        return self("seal", "--face", self.face, *keys, *words)

    def unseal(self, *words: str) -> tuple[int, dict[str, Any]]:
        return self("unseal", "--face", self.face, *words)

    def at_s3(self, key: str, bucket: str = "fast", user: str = "") -> str:
        host = self.s3.partition("//")[2]
        return f"s3://{user or f'ACCESSKEY:{SECRET}'}@{host}/{bucket}/{key}"

    def at_face(self, key: str, bucket: str = "fast", name: str = "FACEKEY") -> str:
        host = self.face.partition("//")[2]
        return f"s3://{name}:{FACE_SECRET}@{host}/{bucket}/{key}"


@pytest.fixture
def bench(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Bench]:
    missing: set[str] = set()
    monkeypatch.setattr(relocation, "_SETTLED", 0)
    s3 = functools.partial(Server, "ACCESSKEY", missing)
    face = functools.partial(Face, "FACEKEY", missing)
    with web.serving(s3) as s3_url, web.serving(face) as face_url:
        bench = Bench(tmp_path, s3_url, face_url, monkeypatch, capsys)
        bench.missing = missing
        yield bench


def test_there_and_back(bench: Bench) -> None:
    bench.rows.add(bench.at_s3("one"))
    bench.rows.add(bench.at_s3("two", "cheap"), store="cheap")
    bench.rows.add(bench.at_s3("three"), store=None)
    bench.rows.add("file:///images/four", store="local")
    before = bench.rows.urls()
    code, document = bench.seal()
    assert code == 0
    assert document["counts"]["done"] == 3
    assert bench.rows.urls() == [
        bench.at_face("one"),
        bench.at_face("two", "cheap"),
        bench.at_face("three"),
        "file:///images/four",
    ]
    assert bench("audit", "--face", bench.face)[0] == 0
    assert bench("audit")[0] == 1
    code, document = bench.unseal()
    assert (code, document["counts"]["done"]) == (0, 3)
    assert bench.rows.urls() == before


def test_a_dry_run_changes_nothing(bench: Bench) -> None:
    bench.rows.add(bench.at_s3("one"))
    before = bench.rows.urls()
    for run in (bench.seal, bench.unseal):
        bench.rows.kept.clear()
        bench.rows.add(before[0] if run == bench.seal else bench.at_face("one"))
        urls = bench.rows.urls()
        code, document = run("--dry-run")
        assert code == 0
        assert document["counts"]["planned"] == 1
        assert "1 locations would be rewritten" in document["summary"]
        assert bench.rows.urls() == urls


def test_a_second_run_has_nothing_to_do(bench: Bench) -> None:
    bench.rows.add(bench.at_s3("one"))
    bench.seal()
    code, document = bench.seal()
    assert (code, document["rows"]) == (0, [])


def test_it_goes_on_where_it_was_ended(bench: Bench) -> None:
    for number in range(5):
        bench.rows.add(bench.at_s3(f"key-{number}"))
    bench.rows.stop_after = 2
    code, document = bench.seal()
    assert code == 130
    assert document["counts"]["done"] == 2
    bench.rows.stop_after = None
    code, document = bench.seal()
    assert (code, document["counts"]["done"]) == (0, 3)
    assert bench.rows.urls() == [bench.at_face(f"key-{number}") for number in range(5)]


def test_a_location_that_changed_meanwhile_is_left_alone(bench: Bench) -> None:
    row = bench.rows.add(bench.at_s3("one"))
    bench.rows.elsewhere.add(row.id)
    code, document = bench.seal()
    assert code == 1
    assert [(r["state"], r["code"]) for r in document["rows"]] == [
        ("failed", "conflict")
    ]
    assert bench.rows.urls() == [row.url]


def test_a_face_that_got_another_name(bench: Bench) -> None:
    """The old name still answers, with the same keys, and is no S3 server."""
    old = bench.face.replace("127.0.0.1", "localhost")
    bench.rows.add(bench.at_face("one").replace("127.0.0.1", "localhost"))
    bench.configure(bench.face, "FACEKEY", FACE_SECRET)
    assert bench("audit", "--face", bench.face)[0] == 1
    code, document = bench.seal("--from", old)
    assert (code, document["counts"]["done"]) == (0, 1), document
    assert bench.rows.urls() == [bench.at_face("one")]
    assert bench("audit", "--face", bench.face)[0] == 0


def test_a_location_with_http_while_the_face_has_https(bench: Bench) -> None:
    """Glance up to 32 goes by the scheme of the location, and does not reach it."""
    bench.rows.add(bench.at_face("one"))
    https = bench.face.replace("http:", "https:")
    code, document = bench("audit", "--face", https)
    assert (code, document["rows"][0]["state"]) == (1, "in_use")
    bench.rows.kept.clear()
    bench.rows.add(bench.at_face("one").replace("s3:", "s3+https:"))
    for face in (https, bench.face):
        code, document = bench("audit", "--face", face)
        assert (code, document["rows"][0]["state"]) == (0, "sealed")


def test_a_key_of_s3_in_a_location_at_the_face(bench: Bench) -> None:
    """Glance writes one if its section has the face's URL and the key of S3."""
    host = bench.face.partition("//")[2]
    bench.rows.add(f"s3://ACCESSKEY:{SECRET}@{host}/fast/one")
    code, document = bench("audit", "--face", bench.face)
    assert (code, document["rows"][0]["state"]) == (1, "in_use")


def test_what_glance_writes_back_is_rewritten_again(bench: Bench) -> None:
    """A request that changes an image writes all locations back as it has read them."""
    row = bench.rows.add(bench.at_s3("one"))
    bench.rows.written_back[row.id] = 1
    code, document = bench.seal()
    assert (code, document["counts"]["done"]) == (0, 1)
    assert bench.rows.urls() == [bench.at_face("one")]


def test_what_glance_goes_on_writing_back_is_said(bench: Bench) -> None:
    row = bench.rows.add(bench.at_s3("one"))
    bench.rows.add(bench.at_s3("two"))
    bench.rows.written_back[row.id] = 1000
    code, document = bench.seal()
    assert code == 1
    assert [r["code"] for r in document["rows"]] == ["conflict", "rewritten"]
    assert bench.rows.urls() == [bench.at_s3("one"), bench.at_face("two")]


def test_a_location_that_another_run_has_rewritten_is_in_place(bench: Bench) -> None:
    row = bench.rows.add(bench.at_s3("one"))

    def rewritten_elsewhere(read: LocationRow, url: str) -> bool:
        bench.rows.kept[row.id] = dataclasses.replace(row, url=url, stored=url)
        return False

    bench.rows.replace = rewritten_elsewhere
    code, document = bench.seal()
    assert (code, document["rows"]) == (0, [])


def test_images_that_are_imported_meanwhile_are_named(bench: Bench) -> None:
    """Glance writes their locations back at the end, however long that takes."""
    copied = bench.rows.add(bench.at_s3("one"))
    bench.rows.add(bench.at_s3("two"))
    other = bench.rows.add("file:///images/three", store="local")
    bench.rows.imported = {copied.image_id, other.image_id}
    code, document = bench.seal()
    assert code == 1
    rows = [(row["image"], row["state"], row["code"]) for row in document["rows"]]
    assert rows[0] == (copied.image_id, "failed", "importing")
    assert [row[1:] for row in rows[1:]] == [("done", "rewritten")]
    assert bench.rows.urls()[:2] == [bench.at_face("one"), bench.at_face("two")]
    code, document = bench.seal("--dry-run")
    assert (code, document["rows"]) == (0, [])
    bench.rows.imported.clear()
    assert bench.seal()[0] == 0


def test_what_was_done_before_an_error_is_said(bench: Bench) -> None:
    for number in range(5):
        bench.rows.add(bench.at_s3(f"key-{number}"))
    bench.rows.stop_after, bench.rows.stops = 2, GlanceError
    code, document = bench.seal()
    assert code == 3
    assert "it stops here" in document["error"]
    assert [row["state"] for row in document["rows"]] == ["done", "done"]
    assert document["counts"]["done"] == 2


def test_a_url_that_glances_driver_does_not_understand(bench: Bench) -> None:
    bench.rows.add("s3://ACCESSKEY")
    code, document = bench.seal()
    assert code == 1
    assert [row["code"] for row in document["rows"]] == ["no_location"]


class DBDeadlock(Exception):
    """As oslo.db names it."""


def test_a_database_that_is_busy_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(location_rows, "_PAUSES", (0.0, 0.0))
    errors: list[Exception] = []

    def ask() -> int:
        if errors:
            raise errors.pop()
        return 7

    busy = [DBDeadlock(), RuntimeError("(sqlite3...) database is locked [SQL: ...]")]
    errors[:] = busy
    assert location_rows.answered(ask) == 7
    errors[:] = [RuntimeError("UPDATE ... a-secret"), *busy]
    with pytest.raises(GlanceError, match=r"did not answer \(RuntimeError\)") as raised:
        location_rows.answered(ask)
    assert "secret" not in str(raised.value)
    errors[:] = [*busy, DBDeadlock()]
    with pytest.raises(GlanceError, match="DBDeadlock"):
        location_rows.answered(ask)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (None, {}),
        ("null", {}),
        ("[1]", {}),
        ("{", {}),
        ('{"store": "fast"}', {"store": "fast"}),
    ],
)
def test_metadata_that_is_none(text: str | None, found: dict[str, str]) -> None:
    assert location_rows.metadata_in(text) == found


def test_locations_elsewhere_are_left_alone_unless_they_are_named(bench: Bench) -> None:
    bench.configure(bench.face, "FACEKEY", FACE_SECRET)  # Glance is sealed already
    bench.rows.add(bench.at_s3("one"))
    bench.rows.add(bench.at_s3("two", "another"))
    code, document = bench.seal()
    assert code == 1
    assert [row["code"] for row in document["rows"]] == ["other_server", "other_bucket"]
    code, document = bench.seal("--from", bench.s3)
    assert code == 1
    assert [row["code"] for row in document["rows"]] == ["rewritten", "other_bucket"]
    host = bench.s3.partition("//")[2]
    assert host not in json.dumps(document)


def test_a_location_of_a_store_that_is_gone(bench: Bench) -> None:
    """Glance finds the store by the start of the URL, then; or it finds none."""
    bench.rows.add(bench.at_s3("one"), store="renamed")
    bench.rows.add(bench.at_s3("two", "another"), store="renamed")
    code, document = bench.seal()
    assert code == 1
    assert [(r["store"], r["code"]) for r in document["rows"]] == [
        ("fast", "rewritten"),
        ("", "unknown_store"),
    ]
    assert bench.rows.urls() == [bench.at_face("one"), bench.at_s3("two", "another")]
    code, document = bench.seal("--store", "fast")
    assert (code, document["rows"]) == (0, [])


def test_a_store_that_is_no_text(bench: Bench) -> None:
    """An operator may write any JSON into the metadata; the bucket decides then."""
    stores: list[object] = [[], {"a": 1}, 7]
    for store in stores:
        bench.rows.add(bench.at_s3("one"), store=store)
    code, document = bench.seal()
    assert (code, document["counts"]["done"]) == (0, 3)


def test_stores_with_the_same_bucket_at_two_servers(bench: Bench) -> None:
    text = bench.config.read_text()
    other = "s3_store_bucket = fast\ns3_store_host = http://s3.example:9000\n"
    bench.config.write_text(text.replace("s3_store_bucket = cheap\n", other))
    bench.rows.add(bench.at_s3("one"), store=None)
    bench.rows.add(bench.at_face("two"), store=None)
    code, document = bench.seal("--store", "fast", "--key", "FACEKEY")
    assert (code, len(document["rows"])) == (0, 1)
    assert bench.rows.urls() == [bench.at_face("one"), bench.at_face("two")]
    code, document = bench.seal()
    assert code == 1  # both are at the face now
    assert {row["code"] for row in document["rows"]} == {"unknown_store"}


def test_a_location_that_cannot_be_decrypted(bench: Bench) -> None:
    bench.rows.add("")
    bench.rows.add(bench.at_s3("one"))
    code, document = bench.seal()
    assert code == 1
    assert [row["code"] for row in document["rows"]] == ["unreadable", "rewritten"]
    assert bench.rows.urls() == ["", bench.at_face("one")]
    code, document = bench("audit", "--face", bench.face)
    assert code == 1
    assert "metadata_encryption_key does not decrypt 1 more" in document["summary"]


@pytest.mark.parametrize(
    ("key", "url"),
    [("right", "s3://s3.example:9000/fast/one"), ("other", ""), ("", ""), (None, "")],
)
def test_what_is_encrypted(key: str | None, url: str) -> None:
    def decrypt(key: str, value: str) -> str:
        if key == "right":
            return value[::-1]
        return b"\xff".decode()

    written = "s3://s3.example:9000/fast/one"[::-1]
    assert decrypted(decrypt, key, written) == url
    assert decrypted(lambda key, value: "no URL", "another", written) == ""


@pytest.mark.parametrize(
    "location",
    [{}, {"user": f"BEFORE:{SECRET}"}],
    ids=["of a location", "of no location"],
)
def test_a_key_of_s3_is_no_key_of_the_face(
    bench: Bench, location: dict[str, str]
) -> None:
    bench.rows.add(bench.at_s3("one", **location))
    before = bench.rows.urls()
    face = bench.s3.replace("127.0.0.1", "localhost")
    code, document = bench("seal", "--face", face, "--key-file", str(bench.s3_keys))
    assert code == 3
    assert "the pair of keys opens the S3 server itself" in document["error"]
    assert bench.rows.urls() == before


def test_a_location_at_s3_with_a_key_of_the_face(bench: Bench) -> None:
    """Glance 32 writes the keys of its section into what it shows, not the host."""
    bench.rows.add(bench.at_s3("one", user=f"FACEKEY:{FACE_SECRET}"))
    code, document = bench.seal()
    assert (code, document["counts"]["done"]) == (0, 1)
    assert bench.rows.urls() == [bench.at_face("one")]
    bench.rows.kept.clear()
    bench.rows.add(bench.at_s3("one", user=f"FACEKEY:{FACE_SECRET}"))
    code, document = bench.unseal()
    assert (code, document["counts"]["done"]) == (0, 1)
    assert bench.rows.urls() == [bench.at_s3("one")]


def test_that_s3_did_not_answer_is_said(bench: Bench) -> None:
    bench.rows.add(bench.at_s3("one"))
    assert bench.seal("--from", f"http://127.0.0.1:{free_port()}")[0] == 0
    assert "whether the pair of keys opens the S3 server is not known" in bench.said
    bench.rows.kept.clear()
    bench.rows.add(bench.at_s3("two"))
    assert bench.seal()[0] == 0
    assert "is not known" not in bench.said


def test_another_key_of_the_face(bench: Bench) -> None:
    """As after a rotation: the old pair is to be removed from the file."""
    bench.rows.add(bench.at_face("one", name="OLDFACE"))
    code, document = bench.seal()
    assert (code, document["counts"]["done"]) == (0, 1)
    assert bench.rows.urls() == [bench.at_face("one")]


def test_a_key_that_the_face_does_not_know(bench: Bench) -> None:
    bench.rows.add(bench.at_s3("one"))
    before = bench.rows.urls()
    code, document = bench.seal("--key", "OTHER")
    assert code == 3
    assert "no image can be read" in document["error"]
    assert bench.rows.urls() == before
    code, document = bench.seal("--key", "NOTHING")
    assert code == 2
    assert "has no such key pair" in document["error"]


def test_images_without_data_do_not_stop_it(bench: Bench) -> None:
    bench.missing.update({"key-0", "key-1"})
    for number in range(4):
        bench.rows.add(bench.at_s3(f"key-{number}"))
    assert bench.seal()[0] == 0


def test_a_place_without_any_data_does(bench: Bench) -> None:
    bench.missing.add("key-")
    for number in range(4):
        bench.rows.add(bench.at_s3(f"key-{number}"))
    code, document = bench.seal()
    assert code == 3
    assert "no image can be read" in document["error"]
    assert bench.at_s3("key-3") in bench.rows.urls()


def test_rows_of_deleted_images_lose_their_key_and_get_none_back(bench: Bench) -> None:
    bench.rows.add(bench.at_s3("one"), needed=False)
    code, document = bench("audit")
    assert code == 1
    assert "1 rows of deleted images: run glance-manage db purge" in document["summary"]
    assert document["rows"][0]["state"] == "deleted"
    assert bench.seal()[0] == 0
    sealed = bench.rows.urls()
    assert sealed == [bench.at_face("one")]
    code, document = bench.unseal()
    assert (code, document["rows"]) == (0, [])
    assert bench.rows.urls() == sealed


def test_one_store_only(bench: Bench) -> None:
    bench.rows.add(bench.at_s3("one"))
    bench.rows.add(bench.at_s3("two", "cheap"), store="cheap")
    assert bench.seal("--store", "cheap")[0] == 0
    assert bench.rows.urls() == [bench.at_s3("one"), bench.at_face("two", "cheap")]


def test_unsealing_while_the_section_names_the_face(bench: Bench) -> None:
    bench.configure(bench.face, "FACEKEY", FACE_SECRET)
    bench.rows.add(bench.at_face("one"))
    code, document = bench.unseal()
    assert code == 2
    assert "has the face as s3_store_host" in document["error"]
    code, document = bench.unseal("--s3", bench.s3)
    assert code == 2
    keys = ["--key-file", str(bench.s3_keys)]
    assert bench.unseal("--s3", bench.s3, *keys)[0] == 0
    assert bench.rows.urls() == [bench.at_s3("one")]


def test_a_later_glance_needs_none_of_it(bench: Bench) -> None:
    bench.glance(Traits())
    bench.rows.add(bench.at_s3("one"))
    before = bench.rows.urls()
    for run in (bench.seal, bench.unseal):
        code, document = run()
        assert code == 0
        assert "change the store's section, and restart Glance" in document["summary"]
        assert bench.rows.urls() == before


def test_a_glance_that_is_elsewhere(bench: Bench) -> None:
    bench.glance(Traits(credentials_in_uris=True), remote=True)
    code, document = bench.seal()
    assert code == 2
    assert "run this where Glance is installed" in document["error"]


@pytest.mark.parametrize(
    "text",
    [
        "gateway:9293",
        "ftp://gateway",
        "http://a@b",
        "http://a:port",
        "http://a:70000",
        "",
    ],
)
def test_a_url_that_is_none(bench: Bench, text: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        bench("seal", "--face", text, "--key-file", str(bench.face_keys))
    assert stopped.value.code == 2

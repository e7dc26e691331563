# SPDX-License-Identifier: Apache-2.0
"""Answers that are not of S3: whatever comes, what is raised is a ``StoreError``.

A proxy that wants https, a web server under the address, a header that gets lost.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
from collections.abc import Callable
from collections.abc import Iterator

import pytest

from s3gateway.errors import StoreError
from s3gateway.http.ranges import Span
from s3gateway.manage.check.store import examine
from s3gateway.s3.store import S3Store
from tests.support.s3.memory import store_settings
from tests.support.s3.stores import TRANSFER
from tests.support.servers import web

_IMPATIENT = dataclasses.replace(TRANSFER, retry_time=0.0)
_LIST = "<ListBucketResult>{}</ListBucketResult>"
_UPLOADS = "<ListMultipartUploadsResult>{}</ListMultipartUploadsResult>"


class Odd(http.server.BaseHTTPRequestHandler):
    """Answers all requests alike."""

    protocol_version = "HTTP/1.1"
    status = 200
    body = b""
    asked = 0

    def answer(self) -> None:
        Odd.asked += 1
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(self.status)
        if self.status in (301, 302):
            self.send_header("Location", "https://elsewhere.example/")
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(self.body)

    do_DELETE = answer  # noqa: N815
    do_GET = answer  # noqa: N815
    do_HEAD = answer  # noqa: N815
    do_POST = answer  # noqa: N815
    do_PUT = answer  # noqa: N815

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture(scope="module")
def store() -> Iterator[S3Store]:
    with web.serving(Odd) as endpoint:
        yield S3Store(store_settings(endpoint=endpoint), _IMPATIENT)


Answers = Callable[..., None]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    def answers(body: str, status: int = 200) -> None:
        monkeypatch.setattr(Odd, "status", status)
        monkeypatch.setattr(Odd, "body", body.encode())
        monkeypatch.setattr(Odd, "asked", 0)

    return answers


REQUESTS: dict[str, Callable[[S3Store], object]] = {
    "objects": lambda store: list(store.objects("")),
    "uploads": lambda store: list(store.uploads()),
    "stat": lambda store: store.stat("key"),
    "begin": lambda store: store.begin("key"),
    "abandon": lambda store: store.abandon("key"),
    "copy part": lambda store: store.bucket.copy_part(
        "key", "upload", 1, ("bucket", "key"), Span(0, 5)
    ),
    "delete": lambda store: store.delete("key"),
    "ping": lambda store: store.ping(),
}
#: What the requests cannot do without.
LACKING = {
    "an object without a key": ("objects", _LIST.format("<Contents/>")),
    "an object without a size": (
        "objects",
        _LIST.format("<Contents><Key>k</Key></Contents>"),
    ),
    "a size that is none": (
        "objects",
        _LIST.format("<Contents><Key>k</Key><Size>x</Size></Contents>"),
    ),
    "an upload without an id": (
        "uploads",
        _UPLOADS.format("<Upload><Key>k</Key></Upload>"),
    ),
    "an upload without a key": (
        "uploads",
        _UPLOADS.format("<Upload><UploadId>u</UploadId></Upload>"),
    ),
    "no upload id": ("begin", "<InitiateMultipartUploadResult/>"),
    "a HEAD without a length": ("stat", ""),
}


@pytest.mark.parametrize("what", LACKING)
def test_what_an_answer_lacks(store: S3Store, answers: Answers, what: str) -> None:
    request, body = LACKING[what]
    answers(body)
    with pytest.raises(StoreError, match="something that is not of S3"):
        REQUESTS[request](store)


@pytest.mark.parametrize("entry", ["<Key>key</Key>", "<UploadId>u</UploadId>"])
def test_a_list_that_says_too_little_to_abandon(
    store: S3Store, answers: Answers, entry: str
) -> None:
    """What cannot be listed stays; that is no error."""
    answers(_UPLOADS.format(f"<Upload>{entry}</Upload>"))
    store.abandon("key")


@pytest.mark.parametrize("status", [200, 206, 301, 302, 404, 503])
@pytest.mark.parametrize("body", ["", "<html>It works!</html>", "no < XML", '{"a": 1}'])
def test_web_servers_that_are_not_s3(
    store: S3Store, answers: Answers, status: int, body: str
) -> None:
    for request in REQUESTS.values():
        answers(body, status)
        with contextlib.suppress(StoreError):
            request(store)
        assert Odd.asked < 5


def test_check_says_that_all_is_redirected(store: S3Store, answers: Answers) -> None:
    """As by a proxy that wants https."""
    answers("<html>301 Moved Permanently</html>", 301)
    [finding] = examine(store)
    assert finding.found == "redirected"
    assert "check the scheme" in finding.advice

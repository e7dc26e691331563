# SPDX-License-Identifier: Apache-2.0
"""A server's own classes may be renamed, or not be there: the filter loads anyway."""

from __future__ import annotations

import io
import socket
import subprocess
import sys
import types
from typing import Any

import pytest
from gunicorn.http.body import Body as GunicornBody
from gunicorn.http.body import ChunkedReader
from gunicorn.http.body import LengthReader
from gunicorn.http.errors import ParseException
from gunicorn.http.unreader import SocketUnreader

from s3gateway.errors import ClientGone
from s3gateway.http import fast_lane
from s3gateway.http import servers
from s3gateway.http import waiting
from s3gateway.http.request_body import Body

_MODULES = ("gunicorn.http.body", "gunicorn.http.unreader", "gunicorn.http.errors")
_LOAD = """
import sys
for name in {gone}:
    sys.modules[name] = None if name == "gunicorn" else type(sys)(name)
import s3gateway.factory
import s3gateway.gateway
import s3gateway.standalone.upstream
from s3gateway.http import fast_lane, servers
import io
assert fast_lane.receiver({{"wsgi.input": io.BytesIO()}}) is None
assert OSError in servers.broken_body()
print([name for name in sys.modules if name.startswith("gunicorn.")])
"""


def loaded(*gone: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", _LOAD.format(gone=gone)],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_the_filter_loads_without_gunicorn() -> None:
    assert loaded("gunicorn") == "[]"


def test_the_filter_loads_with_a_gunicorn_that_lacks_the_names() -> None:
    assert loaded(*_MODULES) == str(list(_MODULES))


@pytest.fixture
def body() -> Any:
    """A body of gunicorn's, the first bytes of it received together with the head."""
    client, server = socket.socketpair()
    with client, server:
        unreader = SocketUnreader(server)
        unreader.unread(b"abc")
        client.sendall(b"defgh")
        client.shutdown(socket.SHUT_WR)
        yield GunicornBody(LengthReader(unreader, 8))


def upload(body: Any) -> bytes:
    buffer = bytearray(100)
    request = {"wsgi.input": body, "CONTENT_LENGTH": "8"}
    return bytes(buffer[: Body(request, None, 100).read_into(memoryview(buffer))])


@pytest.mark.parametrize("lacking", ["", *_MODULES])
def test_the_portable_way_is_taken_where_a_class_is_unknown(
    body: Any, monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    if lacking:
        monkeypatch.setitem(sys.modules, lacking, types.ModuleType(lacking))
    known = fast_lane.unreader_of(body) is not None
    assert known is (lacking in ("", "gunicorn.http.errors"))
    assert upload(body) == b"abcdefgh"


@pytest.mark.parametrize(
    ("part", "attribute"), [("body", "buf"), ("reader", "length"), ("unreader", "buf")]
)
def test_the_portable_way_is_taken_where_an_attribute_is_missing(
    body: Any, part: str, attribute: str
) -> None:
    whose = {"body": body, "reader": body.reader, "unreader": body.reader.unreader}
    delattr(whose[part], attribute)
    assert fast_lane.receiver({"wsgi.input": body}) is None


def test_a_body_is_not_waited_for_where_that_is_unknown(
    body: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "gunicorn.http.unreader"
    monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    with waiting.impatiently(body) as possible:
        assert not possible
        assert body.read() == b"abcdefgh"


class Broken(io.RawIOBase):
    def read(self, size: int = -1) -> bytes:
        raise ParseException


def test_gunicorns_own_errors_are_a_broken_body() -> None:
    with pytest.raises(ClientGone):
        upload(Broken())


def test_broken_chunks_are_a_broken_body() -> None:
    client, server = socket.socketpair()
    with client, server:
        client.sendall(b"5\r\nabcdefgh and more that is no chunk")
        asked = types.SimpleNamespace(unreader=SocketUnreader(server))
        chunks = GunicornBody(ChunkedReader(asked, asked.unreader))
        request = {"wsgi.input": chunks, "HTTP_TRANSFER_ENCODING": "chunked"}
        with pytest.raises(ClientGone):
            Body(request, None, 100).read_into(memoryview(bytearray(100)))


def test_what_is_not_a_class_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    stub = types.ModuleType("gunicorn.http.errors")
    stub.ParseException = "renamed"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, stub.__name__, stub)
    assert servers.loaded(stub.__name__, "ParseException") is None
    assert all(isinstance(kind, type) for kind in servers.broken_body())

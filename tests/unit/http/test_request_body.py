# SPDX-License-Identifier: Apache-2.0
"""The length of a request body under every server, and what is forwarded."""

from __future__ import annotations

import contextlib
import io
import types
from typing import Any

import pytest
from gunicorn.http2.errors import HTTP2StreamError
from gunicorn.http2.request import HTTP2Body
from hypothesis import given
from hypothesis import strategies as st

from s3gateway.errors import ClientGone
from s3gateway.errors import RequestError
from s3gateway.http import forwarding
from s3gateway.http import request_body
from s3gateway.http import servers
from s3gateway.http.request_body import Body


def environ(data: bytes = b"", /, **fields: Any) -> dict[str, Any]:
    return {"wsgi.input": io.BytesIO(data), **fields}


def received(request: dict[str, Any]) -> bytes:
    """Read a body as an upload does."""
    body = Body(request, None, 1 << 20)
    buffer = bytearray(1 << 10)
    return bytes(buffer[: body.read_into(memoryview(buffer))])


def passed_on(request: dict[str, Any]) -> bytes | None:
    """Return a body as the stand-alone gateway passes it on."""
    pieces = forwarding.forwarded(request, lambda: None)
    return None if pieces is None else b"".join(pieces)


@pytest.fixture
def in_uwsgi(monkeypatch: pytest.MonkeyPatch) -> None:
    def chunked_read() -> bytes:
        raise OSError("unable to receive chunked part")

    uwsgi = types.SimpleNamespace(chunked_read=chunked_read, opt={})
    monkeypatch.setattr(servers, "uwsgi", uwsgi)


@pytest.mark.parametrize(
    ("fields", "length"),
    [
        ({}, 0),  # PEP 3333: without a length there is no body
        ({"CONTENT_LENGTH": ""}, 0),
        ({"CONTENT_LENGTH": "0"}, 0),
        ({"CONTENT_LENGTH": "5"}, 5),
        ({"CONTENT_LENGTH": "5 "}, 5),  # uWSGI leaves blanks, which are none of it
        ({"CONTENT_LENGTH": "007"}, 7),
        ({"CONTENT_LENGTH": "5", "wsgi.input_terminated": True}, 5),
        ({"wsgi.input_terminated": True}, None),  # HTTP/2
        ({"wsgi.input_terminated": False}, 0),
        ({"CONTENT_LENGTH": "", "wsgi.input_terminated": True}, None),
        ({"HTTP_TRANSFER_ENCODING": "chunked"}, None),
        ({"HTTP_TRANSFER_ENCODING": " Chunked\t", "CONTENT_LENGTH": ""}, None),
        ({"HTTP_TRANSFER_ENCODING": ""}, 0),
    ],
)
def test_lengths(fields: dict[str, Any], length: int | None) -> None:
    assert request_body.content_length(environ(**fields)) == length


@pytest.mark.parametrize(
    "length",
    [
        *("+5", "-5", "5_0", "5, 5", "5,6", "5x", "0x5", "5.0", "1e3"),
        *("9" * 19, "9" * 5000),
        *("\N{FULLWIDTH DIGIT FIVE}", "\xb2", "\x0b5", "5\x00"),
    ],
)
def test_what_is_no_length_is_refused(length: str) -> None:
    """int() would take some of it, and so does a server or another."""
    with pytest.raises(RequestError, match="Content-Length"):
        request_body.content_length(environ(CONTENT_LENGTH=length))


@pytest.mark.parametrize(
    "codings",
    [
        *("xchunked", "chunkedx", "chunked, chunked", "gzip, chunked", "chunked, gzip"),
        *("identity", "identity, chunked", "gzip", "\x0bchunked", "chunked;q=1", ","),
    ],
)
@pytest.mark.parametrize("length", ["", "13"])
def test_other_codings_are_refused(codings: str, length: str) -> None:
    """Each server reads such a body in its own way, and a proxy in another."""
    request = environ(HTTP_TRANSFER_ENCODING=codings, CONTENT_LENGTH=length)
    with pytest.raises(RequestError, match="Transfer-Encoding"):
        request_body.content_length(request)


def test_a_coding_and_a_length_are_refused() -> None:
    request = environ(HTTP_TRANSFER_ENCODING="chunked", CONTENT_LENGTH="13")
    with pytest.raises(RequestError, match="no Content-Length beside"):
        request_body.content_length(request)


@pytest.mark.usefixtures("in_uwsgi")
def test_a_body_whose_chunks_the_web_server_has_put_together() -> None:
    """As nginx does before it speaks uwsgi: the length counts."""
    request = environ(b"data", HTTP_TRANSFER_ENCODING="chunked", CONTENT_LENGTH="4")
    assert request_body.content_length(request) == 4
    assert received(request) == b"data"


@pytest.mark.usefixtures("in_uwsgi")
def test_a_chunk_that_uwsgi_does_not_take() -> None:
    with pytest.raises(ClientGone, match="larger than the server takes"):
        received(environ(HTTP_TRANSFER_ENCODING="chunked"))


@pytest.mark.usefixtures("in_uwsgi")
def test_how_large_a_chunk_may_be() -> None:
    assert servers.chunk_limit() == 1024**2
    servers.uwsgi.opt["chunked-input-limit"] = b"67108864"
    assert servers.chunk_limit() == 64 * 1024**2


def test_any_chunk_is_taken_elsewhere() -> None:
    assert servers.chunk_limit() == 0


@pytest.mark.usefixtures("in_uwsgi")
def test_uwsgi_is_not_asked_for_chunks_of_another_coding() -> None:
    with pytest.raises(RequestError, match="Transfer-Encoding"):
        received(environ(HTTP_TRANSFER_ENCODING="xchunked", CONTENT_LENGTH="13"))


FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "HTTP_TRANSFER_ENCODING": st.text(st.sampled_from("chunkedgzip, \t;x")),
        "CONTENT_LENGTH": st.text(st.sampled_from("0123456789+-_ x\xb2")),
        "wsgi.input_terminated": st.booleans(),
    },
)


@given(FIELDS)
def test_a_length_or_a_refusal(fields: dict[str, Any]) -> None:
    found = None
    with contextlib.suppress(RequestError):
        found = request_body.content_length(environ(**fields))
    assert found is None or 0 <= found < 10**18


DATA = bytes(range(256)) * 3


def test_a_body_that_only_its_end_tells_of_is_read_and_passed_on() -> None:
    """Of HTTP/2 under gunicorn, and of mod_wsgi."""
    assert received(environ(DATA, **{"wsgi.input_terminated": True})) == DATA
    assert passed_on(environ(DATA, **{"wsgi.input_terminated": True})) == DATA


def test_a_body_of_gunicorns_http2() -> None:
    """It has no length, and need not have."""
    fields = {"wsgi.input": HTTP2Body(DATA), "wsgi.input_terminated": True}
    assert received(fields) == DATA
    fields["wsgi.input"] = HTTP2Body(DATA)
    assert passed_on(fields) == DATA


def test_a_stream_of_http2_that_is_reset() -> None:
    failing = Failing(HTTP2StreamError(1, "stream closed before its body was complete"))
    fields = {"wsgi.input": failing, "wsgi.input_terminated": True}
    with pytest.raises(ClientGone):
        received(fields)
    with pytest.raises(ClientGone):
        passed_on(fields)


def test_what_has_no_body_is_passed_on_without() -> None:
    assert passed_on(environ(DATA)) is None
    assert passed_on(environ(CONTENT_LENGTH="0")) is None
    assert passed_on(environ(**{"wsgi.input_terminated": True})) is None


def test_an_empty_body_in_chunks_is_passed_on_in_chunks() -> None:
    assert passed_on(environ(HTTP_TRANSFER_ENCODING="chunked")) == b""


def test_a_body_of_known_length_is_passed_on_and_no_more_of_it() -> None:
    assert passed_on(environ(DATA + b"next", CONTENT_LENGTH=str(len(DATA)))) == DATA


def test_a_body_that_breaks_off_is_not_passed_on_as_whole() -> None:
    with pytest.raises(ClientGone):
        passed_on(environ(DATA[:-1], CONTENT_LENGTH=str(len(DATA))))


class Failing(io.RawIOBase):
    def __init__(self, failure: Exception) -> None:
        self._failure = failure

    def read(self, size: int = -1) -> bytes:
        raise self._failure


@pytest.mark.parametrize("failure", [OSError(), EOFError(), ValueError()])
def test_what_servers_raise_is_a_client_that_is_gone(failure: Exception) -> None:
    fields = {"wsgi.input": Failing(failure), "CONTENT_LENGTH": "5"}
    with pytest.raises(ClientGone):
        received(fields)
    with pytest.raises(ClientGone):
        passed_on(fields)


def test_a_request_with_another_body() -> None:
    request = environ(DATA, HTTP_TRANSFER_ENCODING="chunked")
    other = request_body.replaced(request, b"{}")
    assert request_body.content_length(other) == 2
    assert received(other) == b"{}"

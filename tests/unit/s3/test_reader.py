# SPDX-License-Identifier: Apache-2.0
"""Answers of a scripted server, whose bytes come in various ways."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator

import pytest
import urllib3

from s3gateway.errors import StoreUnavailable
from s3gateway.http.ranges import Span
from s3gateway.s3.reader import S3Reader

DATA = bytes(range(256)) * 4000
SPAN = Span(1000, 901_000)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    may_end = threading.Event()

    def do_GET(self) -> None:
        body = DATA[SPAN.start : SPAN.stop]
        self.send_response(206)
        self.send_header("Content-Range", SPAN.content_range(len(DATA)))
        if self.path.startswith("/chunked"):
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for start in range(0, len(body), 70_000):
                chunk = body[start : start + 70_000]
                self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            if self.path == "/chunked/late":
                self.may_end.wait(30)
            self.wfile.write(b"0\r\n\r\n")
            return
        self.send_header("Content-Length", str(len(body)))
        if self.path == "/silent/closing":
            self.send_header("Connection", "close")
        self.end_headers()
        if self.path == "/broken":
            self.close_connection = True
            body = body[:300_000]
        if self.path.startswith("/silent"):
            self.wfile.write(body[:300_000])
            self.may_end.wait(30)
            return
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(autouse=True)
def _nothing_may_end_yet() -> None:
    Handler.may_end = threading.Event()


def open_(pool: urllib3.PoolManager, url: str) -> S3Reader:
    answer = pool.request("GET", url, preload_content=False, decode_content=False)
    return S3Reader("fast", answer, SPAN, len(DATA))


@pytest.mark.parametrize("path", ["/plain", "/chunked"])
def test_buffers_are_filled_however_the_bytes_come(server: str, path: str) -> None:
    with urllib3.PoolManager() as pool:
        for _ in range(2):
            reader = open_(pool, server + path)
            found = bytearray(SPAN.length)
            with memoryview(found) as buffer:
                for start in range(0, len(found), 100_000):
                    reader.fill(buffer[start : start + 100_000])
            reader.close()
            assert found == DATA[SPAN.start : SPAN.stop]


def test_a_connection_on_which_more_is_to_come_is_not_used_again(server: str) -> None:
    """The empty chunk that ends a body would be taken for the start of an answer."""
    with urllib3.PoolManager(retries=False, timeout=60) as pool:
        first = open_(pool, f"{server}/chunked/late")
        first.fill(memoryview(bytearray(SPAN.length)))
        first.close()
        try:
            second = open_(pool, f"{server}/plain")
            second.fill(memoryview(bytearray(SPAN.length)))
        finally:
            Handler.may_end.set()
        third = open_(pool, f"{server}/plain")
        third.close()
        pool_of_host = pool.connection_from_url(server)
        assert (pool_of_host.num_requests, pool_of_host.num_connections) == (3, 2)


def test_a_buffer_that_cannot_be_filled(server: str) -> None:
    with urllib3.PoolManager() as pool:
        reader = open_(pool, server + "/broken")
        with pytest.raises(StoreUnavailable):
            reader.fill(memoryview(bytearray(SPAN.length)))
        reader.close()


@pytest.mark.parametrize("path", ["/silent", "/silent/closing"])
def test_a_response_that_is_cut_ends_at_once(server: str, path: str) -> None:
    """Although its connection is not to be used again, or is silent."""
    with urllib3.PoolManager(retries=False, timeout=60) as pool:
        reader = open_(pool, server + path)
        cut = threading.Timer(0.3, reader.cut)
        began = time.monotonic()
        cut.start()
        with pytest.raises(StoreUnavailable):
            reader.fill(memoryview(bytearray(SPAN.length)))
        assert time.monotonic() - began < 20
        cut.join()
        reader.close()
    Handler.may_end.set()

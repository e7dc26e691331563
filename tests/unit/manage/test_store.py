# SPDX-License-Identifier: Apache-2.0
"""What ``check`` says of a store whose server says little."""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
from collections.abc import Iterator

import pytest

from s3gateway.config.keys import KeyPair
from s3gateway.config.keys import Keys
from s3gateway.manage.check.findings import Severity
from s3gateway.manage.check.store import check
from s3gateway.manage.check.store import examine
from s3gateway.s3.store import S3Store
from tests.support.s3.memory import store_settings
from tests.support.s3.stores import TRANSFER
from tests.support.servers import web
from tests.support.servers.processes import free_port

SHORT = "secret key of fewer than 16 characters"
ODD = "secret key with odd characters"


@pytest.mark.parametrize(
    ("secret_key", "expected"),
    [
        ("wJalrXUtnFEMI/K7MDENG+bPxR=", []),
        ("0123456789abcdef", []),
        ("0123456789abcde", [SHORT]),
        ("openstack", [SHORT]),
        *((f"0123456789{odd}abcdef", [ODD]) for odd in "<>'\"\\ \t"),
        ("q< 7", [SHORT, ODD]),
    ],
)
def test_secret_keys_that_may_leave(secret_key: str, expected: list[str]) -> None:
    settings = store_settings(
        endpoint=f"http://127.0.0.1:{free_port()}",
        keys=Keys(KeyPair("ACCESSKEY", secret_key)),
    )
    transfer = dataclasses.replace(TRANSFER, connect_timeout=1.0)
    found = list(check(settings, transfer))
    assert {each.subject for each in found} == {"store fast"}
    warnings = [each for each in found if each.severity is Severity.WARNING]
    assert [each.found for each in warnings] == expected
    assert all(each.advice for each in warnings)
    assert secret_key not in str([each.row() for each in found])


class Server(http.server.BaseHTTPRequestHandler):
    """An S3 server behind a proxy that takes small bodies, and keeps nothing."""

    protocol_version = "HTTP/1.1"
    most = 0
    written: list[int]

    def do_PUT(self) -> None:
        length = int(self.headers["Content-Length"])
        self.rfile.read(length)
        self.written.append(length)
        self._answer(200 if length <= self.most else 413)

    def do_GET(self) -> None:
        self._answer(200, b"<ListBucketResult></ListBucketResult>")

    def do_DELETE(self) -> None:
        self._answer(204)

    def _answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        pass


@contextlib.contextmanager
def server(most: int) -> Iterator[S3Store]:
    handler = type("Handler", (Server,), {"most": most, "written": []})
    with web.serving(handler) as url:
        yield S3Store(store_settings(endpoint=url), TRANSFER)


def test_a_proxy_that_takes_small_bodies_only() -> None:
    """As nginx does with ``client_max_body_size 1m``."""
    with server(most=1024**2) as store:
        [found] = examine(store)
    assert found.severity is Severity.ERROR
    assert found.found == "no body of a part's size"
    assert "5 MiB" in found.advice
    assert "413" in found.advice


def test_a_server_that_takes_a_part() -> None:
    with server(most=5 * 1024**2) as store:
        found = examine(store)
    assert found[0].severity is Severity.OK

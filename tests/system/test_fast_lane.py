# SPDX-License-Identifier: Apache-2.0
"""Bytes that go past the WSGI server: the same bytes, on the same connection."""

from __future__ import annotations

import hashlib
import http.client
import random
from urllib import parse

import pytest

from tests.support.clients.api import OCTETS
from tests.support.clients.api import Api
from tests.support.clients.api import in_chunks
from tests.support.people import ALICE
from tests.support.s3.memory import MIB
from tests.support.servers.cloud import Cloud
from tests.support.servers.glance import Glance

DATA = random.Random(31).randbytes(11 * MIB + 5)  # noqa: S311


def serving(cloud: Cloud, *, fast: bool = True) -> Glance:
    lanes = {"s3gateway": {"fast_lanes": str(fast).lower()}}
    return cloud.glance(gateway=True, config={} if fast else lanes)


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("fast", [False, True], ids=["off", "on"])
def test_on_and_off(cloud: Cloud, fast: bool, chunked: bool) -> None:
    glance = serving(cloud, fast=fast)
    api = Api(glance.url, ALICE)
    image_id = api.create()
    assert api.upload(image_id, in_chunks(DATA) if chunked else DATA).status == 204
    assert api.show(image_id)["os_hash_value"] == hashlib.sha512(DATA).hexdigest()
    assert api.download(image_id).body == DATA
    api.delete(image_id)


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_requests_that_share_a_connection(cloud: Cloud, chunked: bool) -> None:
    """Nothing of one is taken for the other, in either direction."""
    glance = serving(cloud)
    api = Api(glance.url, ALICE)
    image_id = api.create()
    parts = parse.urlsplit(glance.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    headers = {"X-Auth-Token": ALICE}
    path = f"/v2/images/{image_id}"
    body = {**headers, "Content-Type": OCTETS}
    connection.connect()
    sock = connection.sock
    for method, url, sent, status, expected in (
        ("PUT", f"{path}/file", in_chunks(DATA) if chunked else DATA, 204, b""),
        ("GET", f"{path}/file", None, 200, DATA),
        ("GET", f"{path}/file", None, 200, DATA),
        ("GET", path, None, 200, None),
        ("DELETE", path, None, 204, b""),
    ):
        connection.request(method, url, sent, body if sent else headers)
        answer = connection.getresponse()
        found = answer.read()
        assert answer.status == status
        assert expected is None or found == expected
        assert connection.sock is sock  # the server has kept it
    connection.close()


@pytest.mark.parametrize(
    ("framing", "data"),
    [
        ("Content-Length: 1000", DATA[:1000]),
        (
            "Transfer-Encoding: chunked",
            b"1f4\r\n"
            + DATA[:500]
            + b"\r\n1F4\r\n"
            + DATA[500:1000]
            + b"\r\n0\r\n\r\n",
        ),
    ],
    ids=["length", "chunked"],
)
def test_a_request_right_behind_a_body(cloud: Cloud, framing: str, data: bytes) -> None:
    """What the server received too much is the next request's."""
    glance = serving(cloud)
    api = Api(glance.url, ALICE)
    image_id = api.create()
    common = f"Host: glance\r\nX-Auth-Token: {ALICE}\r\n"
    put = (
        f"PUT /v2/images/{image_id}/file HTTP/1.1\r\n{common}"
        f"Content-Type: {OCTETS}\r\n{framing}\r\n\r\n"
    )
    get = f"GET /v2/images/{image_id} HTTP/1.1\r\n{common}Connection: close\r\n\r\n"
    with api.connect() as connection:
        connection.sendall(put.encode() + data + get.encode())
        answer = b""
        while data := connection.recv(MIB):
            answer += data
    assert answer.startswith(b"HTTP/1.1 204 ")
    assert answer.count(b"HTTP/1.1 200 ") == 1
    assert b'"status": "active"' in answer
    assert api.download(image_id).body == DATA[:1000]
    api.delete(image_id)

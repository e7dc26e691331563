# SPDX-License-Identifier: Apache-2.0
"""Requests that say in two ways, or in none, how long their bodies are."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.clients.api import OCTETS
from tests.support.clients.api import Api
from tests.support.people import ALICE
from tests.support.servers.cloud import Cloud

CHUNKS = b"3\r\nabc\r\n0\r\n\r\n"


@pytest.fixture(params=["gunicorn", "uwsgi", "uwsgi-router", "stand-alone"])
def api(request: pytest.FixtureRequest, clouds: Callable[[int], Cloud]) -> Api:
    cloud = clouds(33)
    if request.param == "stand-alone":
        return Api(cloud.standalone().url, ALICE)
    return cloud.api(ALICE, gateway=True, wsgi=request.param)


def put(api: Api, path: str, framing: str, body: bytes) -> bytes:
    """Send a request as no client would, and return all that is answered."""
    fields = f"Host: glance\r\nX-Auth-Token: {ALICE}\r\nContent-Type: {OCTETS}\r\n"
    with api.connect() as connection:
        head = f"PUT {path} HTTP/1.1\r\n{fields}{framing}Connection: close\r\n\r\n"
        connection.sendall(head.encode("latin-1") + body)
        return b"".join(iter(lambda: connection.recv(4096), b""))


@pytest.mark.parametrize(
    "framing",
    [
        "Transfer-Encoding: xchunked\r\nContent-Length: {length}\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: \x0bchunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: identity\r\nContent-Length: {length}\r\n",
        "Content-Length: +{length}\r\n",
        "Content-Length: {length}x\r\n",
        "Content-Length: {length}, {length}\r\n",
    ],
)
def test_a_body_of_doubtful_length_is_no_image(api: Api, framing: str) -> None:
    image_id = api.create()
    sent = framing.format(length=len(CHUNKS))
    found = put(api, f"/v2/images/{image_id}/file", sent, CHUNKS)
    assert found.startswith((b"HTTP/1.1 400", b"HTTP/1.1 501")), found
    assert found.count(b"HTTP/1.1") == 1
    assert api.show(image_id)["status"] == "queued"
    api.delete(image_id)


def test_a_length_beside_chunks(api: Api) -> None:
    """uWSGI goes by the length, as stock Glance does under it; others refuse it."""
    image_id = api.create()
    framing = "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"
    found = put(api, f"/v2/images/{image_id}/file", framing, b"whole")
    if found.startswith(b"HTTP/1.1 204"):
        assert api.download(image_id).body == b"whole"
    else:
        assert found.startswith(b"HTTP/1.1 400")
        assert api.show(image_id)["status"] == "queued"
    api.delete(image_id)

# SPDX-License-Identifier: Apache-2.0
"""Answers to uploads, and what a failed upload leaves."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import time

import pytest

from tests.support import tiers
from tests.support.clients.api import Api
from tests.support.clients.api import in_chunks
from tests.support.people import ALICE
from tests.support.servers.cloud import Cloud

MIB = 1024**2
DATA = b"what the client meant to send\n" * 1000
SERVERS = ["gunicorn", "uwsgi"]


def nothing_left(cloud: Cloud, image_id: str) -> bool:
    """Wait until nothing is left; the gateway cleans up behind a lost client."""
    deadline = time.monotonic() + 60
    while cloud.kept(image_id):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


@pytest.fixture
def api(cloud: Cloud) -> Api:
    return cloud.api(ALICE, gateway=True)


@pytest.mark.parametrize("large", tiers.but([True], [False, True]))
def test_data_that_is_not_what_was_promised(
    cloud: Cloud, api: Api, large: bool
) -> None:
    """``curl -d @file`` drops the line ends; ``--data-binary`` was meant."""
    meant = DATA * 400 if large else DATA
    promised = {"Content_MD5": hashlib.md5(meant, usedforsecurity=False).hexdigest()}
    image_id = api.create()
    answer = api.upload(image_id, meant.replace(b"\n", b""), **promised)
    assert answer.status == 400
    assert "The Content-MD5 header announces" in answer.body.decode()
    assert api.show(image_id)["status"] == "queued"
    assert not cloud.kept(image_id)
    assert api.upload(image_id, in_chunks(meant), **promised).status == 204
    assert api.download(image_id).body == meant


def test_digests_that_a_snapshot_has_inherited(api: Api) -> None:
    image_id = api.create(
        **{
            "owner_specified.openstack.md5": "0" * 32,
            "owner_specified.openstack.sha256": "0" * 64,
        }
    )
    assert api.upload(image_id, DATA).status == 204
    assert api.download(image_id).body == DATA


@pytest.mark.parametrize("wsgi", SERVERS)
@pytest.mark.parametrize("chunked", [False, True])
def test_a_refusal_is_read_by_who_is_still_sending(
    cloud: Cloud, wsgi: str, chunked: bool
) -> None:
    """Stock does not read the body of a refused upload: the client sees a reset."""
    api = cloud.api(ALICE, gateway=True, wsgi=wsgi)
    image_id = api.create()
    assert api.upload(image_id, DATA).status == 204
    body = bytes(40 * MIB)
    answer = api.upload(image_id, in_chunks(body) if chunked else body)
    assert answer.status == 409
    assert b"from active to saving is not allowed" in answer.body


@pytest.mark.parametrize("wsgi", SERVERS)
def test_expect_continue(cloud: Cloud, wsgi: str) -> None:
    api = cloud.api(ALICE, gateway=True, wsgi=wsgi)
    image_id = api.create()
    with api.connect() as connection:
        connection.sendall(_head(api, image_id, len(DATA), "Expect: 100-continue"))
        connection.settimeout(1)  # as long as curl waits
        try:
            assert b"100 Continue" in connection.recv(1024)
        except TimeoutError:
            assert wsgi == "uwsgi"  # it sends no 100: the client goes on after a while
        connection.sendall(DATA)
        connection.settimeout(60)
        assert b" 204 " in connection.recv(65536)
    assert api.download(image_id).body == DATA


@pytest.mark.parametrize("wsgi", SERVERS)
@pytest.mark.parametrize("size", tiers.but([30 * MIB], [2 * MIB, 30 * MIB]))
def test_a_client_that_goes_away_leaves_nothing(
    cloud: Cloud, wsgi: str, size: int
) -> None:
    """Stock leaves an open multipart upload in S3 for ever."""
    api = cloud.api(ALICE, gateway=True, wsgi=wsgi)
    image_id = api.create()
    with api.connect() as connection:
        connection.sendall(_head(api, image_id, size))
        connection.sendall(bytes(size * 2 // 3))
        _reset(connection)
    assert nothing_left(cloud, image_id)
    assert api.show(image_id)["status"] == "queued"
    assert api.upload(image_id, DATA).status == 204
    assert api.download(image_id).body == DATA


def test_an_object_under_the_images_id_is_in_nobodys_way(
    cloud: Cloud, api: Api
) -> None:
    """Stock answers 500 for ever when there is one."""
    image_id = api.create()
    bucket = cloud.bucket("fast")
    cloud.s3.client().put_object(Bucket=bucket, Key=image_id, Body=b"left over")
    assert api.upload(image_id, DATA).status == 204
    assert api.download(image_id).body == DATA


@pytest.mark.parametrize(
    ("option", "value", "status"),
    [
        ("s3_store_secret_key", "not the secret key of it", 503),
        ("s3_store_host", "http://127.0.0.1:9", 503),
    ],
)
def test_a_store_that_cannot_be_used_refuses_before_the_body(
    cloud: Cloud, option: str, value: str, status: int
) -> None:
    """503 is for clients to try again, and only before their body is used up."""
    stores = {name: {option: value} for name in ("fast", "cheap")}
    config = {**stores, "s3gateway": {"retry_time": "1", "connect_timeout": "1"}}
    api = cloud.api(ALICE, gateway=True, config=config)
    image_id = api.create()
    answer = api.upload(image_id, DATA)
    assert answer.status == status
    assert cloud.s3.endpoint.partition("//")[2].encode() not in answer.body
    assert api.show(image_id)["status"] == "queued"


def test_a_store_that_is_down_stops_nothing_but_itself(cloud: Cloud) -> None:
    """It is the first one, in which all claims were kept before."""
    config = {
        "cheap": {"s3_store_host": "http://127.0.0.1:9"},
        "s3gateway": {"retry_time": "8"},
    }
    api = cloud.api(ALICE, gateway=True, config=config)
    began = time.monotonic()
    for _ in range(3):  # only the first one waits for it
        image_id = api.create()
        assert api.upload(image_id, DATA).status == 204
        assert api.download(image_id).body == DATA
        assert len(cloud.objects("fast").keys() & cloud.kept(image_id)) == 1
    assert time.monotonic() - began < 30
    assert api.upload(api.create(), DATA, X_Image_Meta_Store="cheap").status == 503


def test_whom_glance_lets_upload_but_not_register(cloud: Cloud) -> None:
    policy = '"set_image_location": "role:admin"\n'
    config = {"s3gateway": {"registration": "api"}}
    running = cloud.glance(gateway=True, policy=policy, config=config)
    api = Api(running.url, ALICE)
    image_id = api.create()
    answer = api.upload(image_id, bytes(20 * MIB))
    assert answer.status == 403
    assert b"set_image_location" in answer.body
    assert "register_as = service" in running.log
    assert not cloud.kept(image_id)


def test_a_chunk_that_uwsgi_does_not_take(cloud: Cloud) -> None:
    """Its chunked-input-limit is 1 MiB where nobody has raised it."""
    api = cloud.api(ALICE, gateway=True, wsgi="uwsgi")
    image_id = api.create()
    lines = [
        f"PUT /v2/images/{image_id}/file HTTP/1.1",
        "Host: glance",
        f"X-Auth-Token: {api.token}",
        "Transfer-Encoding: chunked",
        "Content-Type: application/octet-stream",
        "Connection: close",
        "",
        f"{2 * MIB:x}",
        "",
    ]
    answer = b""
    with api.connect() as connection, contextlib.suppress(ConnectionError):
        connection.sendall("\r\n".join(lines).encode() + bytes(2 * MIB))
        connection.sendall(b"\r\n0\r\n\r\n")
        while more := connection.recv(65536):
            answer += more
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"chunked-input-limit" in answer
    assert api.show(image_id)["status"] == "queued"


def _head(api: Api, image_id: str, length: int, *more: str) -> bytes:
    lines = [
        f"PUT /v2/images/{image_id}/file HTTP/1.1",
        "Host: glance",
        f"X-Auth-Token: {api.token}",
        f"Content-Length: {length}",
        "Content-Type: application/octet-stream",
        "Connection: close",
        *more,
        "\r\n",
    ]
    return "\r\n".join(lines).encode()


def _reset(connection: socket.socket) -> None:
    """Go away as a client does that is killed."""
    linger = (1).to_bytes(4, "little") + (0).to_bytes(4, "little")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    connection.close()

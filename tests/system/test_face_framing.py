# SPDX-License-Identifier: Apache-2.0
"""Raw bytes for the face under gunicorn: broken HTTP and broken chunks of S3's own."""

from __future__ import annotations

import contextlib
import pathlib
import random
import re
import socket
import ssl
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.support import tiers
from tests.support.face.ground import ACCESS_KEY
from tests.support.face.ground import SECRET_KEY
from tests.support.face.ground import THREADS
from tests.support.face.ground import Ground
from tests.support.face.recording import BUCKET
from tests.support.face.recording import SILENCE

COUNT = 300
BODY = b"some data of an image\n" * 100
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3}) ")


@pytest.fixture(params=tiers.but(("http",), ("http", "https")), scope="module")
def ground(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ground]:
    found = Ground(tmp_path_factory.mktemp("face"), request.param)
    with found.server:
        found.wait()
        yield found


def key(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def connected(ground: Ground) -> socket.socket:
    """Return a connection; over TLS it ends without saying so."""
    host, _, port = ground.url.partition("://")[2].partition(":")
    sock = socket.create_connection((host, int(port)), timeout=60)
    if ground.url.startswith("http:"):
        return sock
    tls = ssl.create_default_context(cafile=str(ground.cacert))
    return tls.wrap_socket(sock, server_hostname=host)


def signed(ground: Ground, number: int) -> bytes:
    """Return a whole request, as boto3 would send it."""
    url = f"{ground.url}/{BUCKET}/{key(number)}"
    host = ground.url.partition("://")[2]
    request = AWSRequest("PUT", url, headers={"Host": host}, data=BODY)
    S3SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), "s3", "us-east-1").add_auth(
        request
    )
    lines = [f"PUT /{BUCKET}/{key(number)} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    lines += [f"Content-Length: {len(BODY)}", "Connection: close", "", ""]
    return "\r\n".join(lines).encode() + BODY


_LINES = [
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: -5\r\n",
    b"Content-Encoding: aws-chunked\r\n",
    b"X-Amz-Decoded-Content-Length: 7\r\n",
    b"x_amz_date: 20200101T000000Z\r\n",
    b"Expect: 100-continue\r\n",
    b"Expect: nothing\r\n",
    b" folded\r\n",
    b"No-Colon\r\n",
    b"Range: bytes=0-0\r\n",
    b"X: " + b"y" * 9000 + b"\r\n",
    b"\x00: \xff\r\n",
]


def broken(request: bytes, chance: random.Random) -> bytes:
    """Return a request that is not the signed one any more."""
    head, separator, body = request.partition(b"\r\n\r\n")
    kind = chance.randrange(6)
    if kind == 0:
        at = head.index(b"\r\n") + 2
        return head[:at] + chance.choice(_LINES) + head[at:] + separator + body
    if kind == 1:
        at = chance.randrange(len(head))
        head = head[:at] + bytes([chance.randrange(256)]) + head[at + 1 :]
        return head + separator + body
    if kind == 2:
        return head + separator + body[: chance.randrange(len(body))]
    if kind == 3:
        at = chance.randrange(len(body))
        return head + separator + body[:at] + b"\x00" + body[at + 1 :]
    if kind == 4:
        framed = re.sub(rb"Content-Length: \d+", b"Transfer-Encoding: chunked", head)
        sizes = chance.choice(
            [b"0\r\n\r\n", b"zz\r\n", b"5\r\nsome \r\n0\r\n\r\n", b"-1\r\n"]
        )
        return framed + separator + sizes
    return request[: chance.randrange(1, len(head))]


def answer(ground: Ground, request: bytes) -> int:
    """Return the status of the answer, 0 if the connection just ends."""
    with connected(ground) as sock:
        found = b""
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            sock.sendall(request)
            socket.socket.shutdown(sock, socket.SHUT_WR)
            while data := sock.recv(65536):
                found += data
    statuses = [int(status) for status in _STATUS.findall(found)]
    return next((status for status in statuses if status != 100), 0)


def stored(client: Any, key: str) -> bytes | None:
    """Return an object, ``None`` if there is none."""
    with contextlib.suppress(client.exceptions.NoSuchKey):
        body: bytes = client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return body
    return None


def test_broken_requests_write_nothing(ground: Ground) -> None:
    chance = random.Random(6)  # noqa: S311
    answers: Counter[int] = Counter()
    client = ground.client()
    assert answer(ground, signed(ground, 0)) == 200
    for number in range(1, COUNT + 1):
        request = broken(signed(ground, number), chance)
        status = answer(ground, request)
        answers[status] += 1
        # gunicorn itself answers 5xx to a version or a coding that it does not know.
        by_gunicorn = status in (501, 505)
        assert status in (0, 200) or 400 <= status < 500 or by_gunicorn, request
        # What was changed is of no importance to anybody, or nothing is written.
        expected = BODY if status == 200 else None
        assert stored(client, key(number)) == expected, request
    # Over TLS a request that is cut off may end the connection without an answer.
    unanswered = answers[0] if ground.url.startswith("https:") else 0
    assert answers[400] + answers[403] + unanswered > COUNT // 2
    print(f"{COUNT} requests: {dict(answers)}")


def test_a_refused_body_does_not_hide_the_answer(ground: Ground) -> None:
    """Glance's driver leaves its upload open if it sees a reset."""
    request = signed(ground, 0).replace(b"Signature=", b"Signature=0")
    assert answer(ground, request) in (400, 403)


def test_clients_that_are_silent_give_their_threads_back(ground: Ground) -> None:
    """As a Glance host without power is: not even the connection ends."""
    head, _, body = signed(ground, 0).partition(b"\r\n\r\n")
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(connected(ground)) for _ in range(THREADS)]
        for number, sock in enumerate(silent):
            sock.sendall(head + b"\r\n\r\n" + body[: number * 10])
        began = time.monotonic()
        assert answer(ground, signed(ground, 0)) == 200
        assert time.monotonic() - began > SILENCE / 2
        for sock in silent:
            assert sock.recv(4096).startswith(b"HTTP/1.1 400 ")


def test_a_body_hides_no_second_request(ground: Ground) -> None:
    """However its end is announced, what is in a body is not a request."""
    assert answer(ground, signed(ground, 0)) == 200
    hidden = signed(ground, 77)
    for line in _LINES[:3]:
        for start in (b"", b"0\r\n\r\n"):
            head, separator, body = signed(ground, 0).partition(b"\r\n\r\n")
            length = str(len(body)).encode()
            longer = str(len(start + hidden)).encode()
            head = head.replace(b"Length: " + length, b"Length: " + longer)
            request = head + b"\r\n" + line.rstrip() + separator + start + hidden
            assert 400 <= answer(ground, request) < 600, request
    assert stored(ground.client(), key(77)) is None


def test_the_log_names_no_secret(ground: Ground) -> None:
    log = pathlib.Path(ground.server.log).read_text(errors="replace")
    assert SECRET_KEY not in log
    assert "Traceback" not in log

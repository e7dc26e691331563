# SPDX-License-Identifier: Apache-2.0
"""S3 fails in the middle of a download: all bytes arrive, or an error does."""

from __future__ import annotations

import itertools
import random
import socket
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator

import pytest

from tests.support import tiers
from tests.support.clients.api import Api
from tests.support.faults import s3_faults
from tests.support.faults.fault import Fault
from tests.support.faults.fault import Request
from tests.support.faults.faultproxy import FaultProxy
from tests.support.faults.through import Through
from tests.support.faults.through import received
from tests.support.faults.through import through_proxy
from tests.support.people import ADMIN
from tests.support.people import ALICE
from tests.support.servers.cloud import Cloud

MIB = 1024**2
DATA = random.Random(12).randbytes(12 * MIB + 7)  # noqa: S311
CUT = 3 * MIB + 1  # bytes of an answer that still come

SHAPES = tiers.but(
    [("gunicorn", "keystone"), ("uwsgi", "keystone+cachemanagement")],
    itertools.product(
        ("gunicorn", "uwsgi"),
        ("keystone", "keystone+caching", "keystone+cachemanagement"),
    ),
)


@pytest.fixture
def image_id(through: Through) -> Iterator[str]:
    with through.image(DATA) as found:
        yield found


SURVIVED: dict[str, list[Fault]] = {
    "refused once": [s3_faults.ResetBefore()],
    "no answer once": [s3_faults.ResetAfter()],
    "a first answer too late": [s3_faults.Stall()],
    "500": [s3_faults.Answer(500, "InternalError")],
    "SlowDown, three times": [s3_faults.SlowDown() for _ in range(3)],
    "ends short": [s3_faults.Truncate(CUT)],
    "reset": [s3_faults.Truncate(CUT, reset=True)],
    "reset, five times": [s3_faults.Truncate(CUT // 2, reset=True) for _ in range(5)],
    "stalls": [s3_faults.Stall(after=CUT)],
    "reset, then 500": [
        s3_faults.Truncate(CUT),
        s3_faults.Answer(500, "InternalError"),
    ],
    "reset, then SlowDown": [s3_faults.Truncate(CUT), s3_faults.SlowDown()],
}


ALWAYS = ["500", "reset, five times", "stalls"]


@pytest.mark.parametrize("name", tiers.but(ALWAYS, SURVIVED))
def test_the_client_never_notices(through: Through, image_id: str, name: str) -> None:
    happening = SURVIVED[name]
    for nth, fault in enumerate(happening, start=1):
        through.proxy.add(fault, method="GET", key=image_id, nth=nth)
    assert received(through.api, image_id) == (DATA, True)
    assert all(fault.events for fault in happening)


def away(proxy: FaultProxy, key: str, nth: int = 1) -> Fault:
    """Let a store be away from its n-th request on."""
    return proxy.add(
        s3_faults.ResetBefore(), method="GET", key=key, nth=nth, times=None
    )


@pytest.mark.parametrize("after", tiers.but([CUT], [0, CUT]))
def test_the_next_location_goes_on(through: Through, image_id: str, after: int) -> None:
    Api(through.api.url, ADMIN).copy(image_id, "cheap")
    bucket = through.cloud.bucket("fast")
    through.proxy.add(
        s3_faults.Truncate(after), method="GET", key=f"{bucket}/{image_id}"
    )
    gone = away(through.proxy, f"{bucket}/{image_id}", nth=2)
    assert received(through.api, image_id) == (DATA, True)
    assert gone.events
    assert "going on from store cheap" in through.glance.log


@pytest.mark.parametrize("wrong", [s3_faults.WrongRange, s3_faults.RangeIgnored])
@pytest.mark.parametrize("copies", tiers.but([2], [1, 2]))
def test_bytes_from_another_place_are_not_taken(
    through: Through, image_id: str, wrong: Callable[[], Fault], copies: int
) -> None:
    """A server without ranges gets no second range request."""
    if copies == 2:
        Api(through.api.url, ADMIN).copy(image_id, "cheap")
    key = f"{through.cloud.bucket('fast')}/{image_id}"
    through.proxy.add(s3_faults.Truncate(CUT), method="GET", key=key)
    fault = through.proxy.add(wrong(), method="GET", key=key, nth=2)
    data, whole = received(through.api, image_id)
    assert fault.events
    assert whole is (copies == 2)
    assert data == DATA if whole else DATA.startswith(data)


def test_no_other_version_is_mixed_in(through: Through, image_id: str) -> None:
    [key] = [key for key in through.cloud.objects("fast") if image_id in key]
    stall = through.proxy.add(s3_faults.Stall(after=CUT), method="GET", key=image_id)

    def overwrite() -> None:
        assert stall.reached.wait(60)
        through.cloud.s3.client().put_object(
            Bucket=through.cloud.bucket("fast"), Key=key, Body=bytes(len(DATA))
        )

    writer = threading.Thread(target=overwrite)
    writer.start()
    data, whole = received(through.api, image_id)
    writer.join()
    assert not whole
    assert DATA.startswith(data)


@pytest.mark.parametrize(("wsgi", "flavor"), SHAPES)
def test_an_error_is_never_an_end(cloud: Cloud, wsgi: str, flavor: str) -> None:
    """With Glance's cache before the filter a body has no length to be short of."""
    with through_proxy(
        cloud, ALICE, wsgi=wsgi, flavor=flavor, options={"retry_time": "1"}
    ) as through:
        image_id = through.api.create()
        assert through.api.upload(image_id, DATA).status == 204
        through.proxy.add(s3_faults.Truncate(CUT), method="GET", key=image_id)
        gone = away(through.proxy, image_id, nth=2)
        data, whole = received(through.api, image_id)
        assert gone.events
        assert not whole
        assert DATA.startswith(data)
        assert f"Image {image_id} broke off at byte {CUT}: Store fast" in (
            through.glance.log
        )
        # nothing of it is taken for the image, by the cache or by anybody
        through.proxy.clear()
        for _ in range(2):
            assert received(through.api, image_id) == (DATA, True)


def test_data_that_is_not_the_images(cloud: Cloud) -> None:
    """One flipped bit: only ``verify_downloads`` detects it, before the last byte."""
    options = {"verify_downloads": "true"}
    with through_proxy(cloud, ALICE, options=options) as through:
        image_id = through.api.create()
        assert through.api.upload(image_id, DATA).status == 204
        corrupt = through.proxy.add(s3_faults.Corrupt(CUT), method="GET", key=image_id)
        data, whole = received(through.api, image_id)
        assert corrupt.events
        assert not whole
        assert len(data) < len(DATA)
        assert "sha512 of the data" in through.glance.log
        assert received(through.api, image_id) == (DATA, True)


@pytest.mark.parametrize("wsgi", tiers.but(["gunicorn"], ["gunicorn", "uwsgi"]))
@pytest.mark.parametrize("rate", tiers.but([40 * MIB], [1 * MIB, 40 * MIB]))
def test_a_client_that_goes_away_stops_the_reads(
    cloud: Cloud, wsgi: str, rate: int
) -> None:
    """At the higher rate there are several connections by then."""
    with through_proxy(cloud, ALICE, wsgi=wsgi) as through:
        image_id = through.api.create()
        assert through.api.upload(image_id, DATA * 5).status == 204
        through.proxy.add(
            s3_faults.Rate(rate, each=True), method="GET", key=image_id, times=None
        )
        meter = through.proxy.add(
            s3_faults.Meter(), method="GET", key=image_id, times=None
        )
        with through.api.connect() as connection:
            connection.sendall(
                f"GET /v2/images/{image_id}/file HTTP/1.1\r\nHost: glance\r\n"
                f"X-Auth-Token: {ALICE}\r\n\r\n".encode()
            )
            left = 20 * MIB if rate > MIB else 64 * 1024
            while left > 0:
                left -= len(connection.recv(MIB))
            connection.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0"
            )
        gone = time.monotonic()
        deadline = gone + 20
        while time.monotonic() - max(meter.last, gone) < 2:
            assert time.monotonic() < deadline, "S3 is still being read"
            time.sleep(0.05)
        assert meter.last - gone < 1.5


def test_a_slow_client_is_not_read_ahead_of_for_ever(cloud: Cloud) -> None:
    """No piece beyond the window is asked for, whatever the sockets could hold."""
    options = {"download_window": "4", "download_piece": "8", "read_timeout": "60"}
    with through_proxy(cloud, ALICE, options=options) as through:
        image_id = through.api.create()
        assert through.api.upload(image_id, DATA * 12).status == 204
        rate = s3_faults.Rate(40 * MIB, each=True)
        through.proxy.add(rate, method="GET", key=image_id, times=None)
        meter = through.proxy.add(
            s3_faults.Meter(), method="GET", key=image_id, times=None
        )
        with through.api.connect() as connection:
            # or the kernel lets the client's own socket grow to tens of MiB
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MIB)
            connection.sendall(
                f"GET /v2/images/{image_id}/file HTTP/1.1\r\nHost: glance\r\n"
                f"Connection: close\r\nX-Auth-Token: {ALICE}\r\n\r\n".encode()
            )
            answer = bytearray()
            while len(answer) < 24 * MIB:
                answer += connection.recv(MIB)
            while time.monotonic() - meter.last < 2:
                time.sleep(0.05)
            opened = len(through.proxy.requests)
            ahead = _furthest(through.proxy.requests) - len(answer)
            window, sockets = (4 + 1) * 8 * MIB, 8 * MIB
            assert 0 < ahead < window + sockets
            while data := connection.recv(MIB):
                answer += data
        assert answer.partition(b"\r\n\r\n")[2] == DATA * 12
        assert opened < len(through.proxy.requests)


def _furthest(requests: list[Request]) -> int:
    """Return the end of the last of the ranges that were asked for."""
    ranges = [request.headers.get("range", "") for request in requests]
    return max(int(found.rpartition("-")[2]) + 1 for found in ranges if found)

# SPDX-License-Identifier: Apache-2.0
"""Many downloads of one image at once: what S3 is asked for, whatever goes wrong."""

from __future__ import annotations

import random
import re
import socket
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from concurrent import futures

import pytest

from tests.support.clients.api import Api
from tests.support.faults import s3_faults
from tests.support.faults.fault import Fault
from tests.support.faults.fault import Request
from tests.support.faults.s3_faults import Meter
from tests.support.faults.through import Through
from tests.support.faults.through import through_proxy
from tests.support.faults.wire import Head
from tests.support.people import ALICE
from tests.support.people import BOB
from tests.support.servers.cloud import Cloud

MIB = 1024**2
SIZE = 48 * MIB
DATA = random.Random(21).randbytes(SIZE)  # noqa: S311
CLIENTS = 16
# The first one begins alone.  What it has asked for is read, or on its way, when it
# joins the others.
FIRST = 12 * MIB


class WholeObject(Fault):
    """A range is answered with the whole object, as by a server that knows none.

    :ivar count: bytes that were sent
    """

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self._lock = threading.Lock()

    def answered(
        self, request: Request, head: Head, drain: Callable[[], bytes]
    ) -> Head:
        raw = re.sub(rb"(?im)^content-range:.*\r\n", b"", head.raw)
        raw = raw.replace(b" 206 ", b" 200 ", 1)
        length = f"Content-Length: {SIZE}\r\n".encode()
        return Head(re.sub(rb"(?im)^content-length:.*\r\n", length, raw))

    def answer_bytes(
        self, request: Request, at: int, data: bytes, send: Callable[[bytes], None]
    ) -> bytes:
        if "range" not in request.headers:
            self._sent(len(data))
            return data
        self.happens(request)
        if at == 0:
            for start in range(0, SIZE, 64 * 1024):
                send(DATA[start : start + 64 * 1024])
                self._sent(64 * 1024)
        return b""

    def _sent(self, count: int) -> None:
        with self._lock:
            self.count += count


@pytest.fixture
def through(cloud: Cloud) -> Iterator[Through]:
    with through_proxy(cloud, ALICE, threads=CLIENTS + 4) as found:
        yield found


@pytest.fixture
def image_id(through: Through) -> Iterator[str]:
    with through.image(DATA) as found:
        yield found


@pytest.fixture
def meter(through: Through, image_id: str) -> Meter:
    """What S3 sends of the image, in some three seconds."""
    return through.meter(image_id, 16 * MIB)


def at_once(through: Through, image_id: str, count: int = CLIENTS) -> None:
    through.download_at_once(image_id, DATA, count)


def test_s3_sends_it_once(through: Through, image_id: str, meter: Meter) -> None:
    at_once(through, image_id)
    assert meter.count <= SIZE + FIRST


def test_a_client_that_goes_away_is_not_missed(
    through: Through, image_id: str, meter: Meter
) -> None:
    """Neither the first one, which S3 was asked for, nor one that stalls."""
    with through.api.connect() as first, through.api.connect() as stalled:
        for connection in (first, stalled):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
            connection.sendall(
                f"GET /v2/images/{image_id}/file HTTP/1.1\r\nHost: glance\r\n"
                f"X-Auth-Token: {ALICE}\r\n\r\n".encode()
            )
            assert connection.recv(1024)
        with futures.ThreadPoolExecutor(1) as pool:
            others = pool.submit(at_once, through, image_id, 4)
            time.sleep(0.3)
            first.close()
            others.result(60)
    assert meter.count <= SIZE + 2 * FIRST


def test_a_piece_that_breaks_off_is_read_on(
    through: Through, image_id: str, meter: Meter
) -> None:
    for nth in (3, 5):
        fault = s3_faults.Truncate(3 * MIB, reset=True)
        through.proxy.add(fault, method="GET", key=image_id, nth=nth)
    at_once(through, image_id)
    assert meter.count <= SIZE + 2 * FIRST


def test_all_store_errors_at_once_end_well(
    through: Through, image_id: str, meter: Meter
) -> None:
    """S3 refuses everything for a while: some wait, and all get all bytes."""
    slow_down = s3_faults.SlowDown()
    through.proxy.add(slow_down, method="GET", key=image_id, nth=4, times=12)
    at_once(through, image_id)


def test_who_may_not_read_it_gets_nothing(
    through: Through, image_id: str, meter: Meter
) -> None:
    """Although its pieces are in memory."""
    with futures.ThreadPoolExecutor(1) as pool:
        others = pool.submit(at_once, through, image_id, 4)
        refused = Api(through.api.url, BOB).download(image_id)
        others.result(60)
    assert refused.status == 404
    assert refused.body.find(DATA[:64]) == -1


def test_a_server_without_ranges_sends_it_once_for_each_client(
    through: Through, image_id: str
) -> None:
    """And not also for the pieces that it does not send."""
    whole = WholeObject()
    through.proxy.add(whole, method="GET", key=image_id, times=None)
    at_once(through, image_id)
    assert whole.events, "nobody has asked for a range"
    assert whole.count <= (CLIENTS + 0.5) * SIZE

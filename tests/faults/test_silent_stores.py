# SPDX-License-Identifier: Apache-2.0
"""The only store is silent: clients are told before a proxy in front gives up."""

from __future__ import annotations

import time

import pytest

from tests.support.clients.api import Api
from tests.support.people import ALICE
from tests.support.s3 import silent
from tests.support.servers.cloud import Cloud

#: HAProxy's, as most deployment tools have it.
PROXY = 50.0  # seconds

#: How many seconds it takes, rounded up, as docs/source/operations/faults.rst says.
TAKES = {"drops packets": 15.0, "never answers": 35.0}


@pytest.mark.full
@pytest.mark.parametrize("way", ["auto", "api", "stand-alone"])
@pytest.mark.parametrize("silence", silent.ALL)
def test_it_is_a_503_in_time(cloud: Cloud, silence: str, way: str) -> None:
    well = Api(cloud.glance(gateway=True).url, ALICE)
    stored, waiting = well.create(), well.create()
    assert well.upload(stored, b"data").status == 204
    with silent.ALL[silence]() as endpoint:
        api = Api(_url(cloud, endpoint, way), ALICE)
        began = time.monotonic()
        assert api.download(stored).status == 503
        downloaded = time.monotonic()
        # Not one byte of the body is sent.
        with api.connect() as client:
            client.sendall(
                f"PUT /v2/images/{waiting}/file HTTP/1.1\r\nHost: glance\r\n"
                f"X-Auth-Token: {ALICE}\r\nContent-Length: 1000000\r\n"
                "Content-Type: application/octet-stream\r\n\r\n".encode()
            )
            assert client.recv(12) == b"HTTP/1.1 503"
        ended = time.monotonic()
    taken = {"GET": downloaded - began, "PUT": ended - downloaded}
    print(f"{silence}, {way}: {taken}")
    assert max(taken.values()) < TAKES[silence] < PROXY
    assert well.show(waiting)["status"] == "queued"
    for image_id in (stored, waiting):
        well.delete(image_id)


def _url(cloud: Cloud, endpoint: str, way: str) -> str:
    """Return where a gateway is whose store is at an address."""
    config = {"fast": {"s3_store_host": endpoint}}
    if way == "stand-alone":
        return cloud.standalone(config=config).url
    config["s3gateway"] = {"registration": way}
    return cloud.glance(gateway=True, config=config).url

# SPDX-License-Identifier: Apache-2.0
"""Sixty-four clients at once before two gateways, and what they leave behind."""

from __future__ import annotations

import pathlib
from urllib import parse

import psutil
import pytest

from tests.support.clients import load
from tests.support.clients.load import Census
from tests.support.clients.load import Crowd
from tests.support.s3.memory import MIB
from tests.support.servers.cloud import Cloud
from tests.support.servers.standalone import Gateway
from tests.support.servers.standalone import GatewaySpec

pytestmark = [pytest.mark.full, pytest.mark.timeout(1800)]

CLIENTS = 64
THREADS = CLIENTS // 2  # of each gateway: all of them are busy from the start
ROUND = 30.0  # seconds
ROUNDS = 4  # after the first

#: How much more memory a worker may hold at the end than after the first round.
RSS = 32 * MIB

# Connections that a worker's pools keep once they were needed at the same time: one
# to Glance for each of its threads, one to S3 for each, and for each of the parts
# that are sent at once (s3_store_thread_pools is 10) by a few large uploads.
SOCKETS = 2 * THREADS + 160

LEAK = """
[filter:leaks]
paste.filter_factory = tests.support.servers.leaks:filter_factory
"""


def gateway(
    cloud: Cloud, number: int, paste: pathlib.Path | None = None, threads: int = THREADS
) -> Gateway:
    """Return one of several gateways before the same Glance."""
    spec = GatewaySpec(
        arguments=(f"--threads={threads}",),
        config={
            "s3gateway": {"claim_grace": str(300 + number)},
            "paste_deploy": {"config_file": str(paste)} if paste else {},
        },
    )
    return cloud.standalone(spec, threads=32, workers=2)


def idle(gateway: Gateway) -> Census:
    [worker] = psutil.Process(gateway.server.pid).children()
    return load.when_idle(worker.pid, parse.urlsplit(gateway.url).port or 0)


def test_nothing_fails_and_nothing_grows(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    gateways = [gateway(cloud, number) for number in range(2)]
    crowd = Crowd([each.url for each in gateways], CLIENTS)
    found = []
    for count in range(1 + ROUNDS):
        crowd.work(ROUND)
        found.append([idle(each) for each in gateways])
        with capsys.disabled():
            print(f"\nround {count + 1}:", *found[-1], sep="\n  gateway: ")
    with capsys.disabled():
        print(crowd.record)
    crowd.leave()
    assert crowd.record.errors == []
    for before, after in zip(found[0], found[-1], strict=True):
        assert list(load.growth(before, after, rss=RSS, sockets=SOCKETS)) == []


@pytest.mark.parametrize("kind", ["memory", "sockets", "files", "threads"])
def test_what_is_kept_of_each_request_is_noticed(
    cloud: Cloud, tmp_path: pathlib.Path, kind: str
) -> None:
    """Of far fewer requests than there are in the two minutes above."""
    good = (gateway(cloud, 0).directory / "paste.ini").read_text()
    paste = tmp_path / "paste.ini"
    text = good.replace("authtoken s3gateway", "authtoken leaks s3gateway")
    paste.write_text(f"{text}{LEAK}kind = {kind}\n")
    leaky = gateway(cloud, 0, paste, threads=2)
    crowd = Crowd([leaky.url], 4)
    crowd.work(5)
    before = idle(leaky)
    crowd.look(30)
    after = idle(leaky)
    crowd.leave()
    assert list(load.growth(before, after, rss=RSS, sockets=SOCKETS)) == [kind]

# SPDX-License-Identifier: Apache-2.0
"""The S3 servers that the plugin runs; the tests start their units without systemd."""

from __future__ import annotations

import os
import pathlib
import shutil
from collections.abc import Callable
from collections.abc import Iterator

import pytest

from tests.devstack.conftest import MakeStack
from tests.devstack.stack import UNTIL_GLANCE_STARTS
from tests.devstack.stack import Stack
from tests.support.s3.s3server import S3Server
from tests.support.servers.processes import free_port

pytestmark = pytest.mark.full

MINIO = os.environ.get("S3GATEWAY_MINIO_BIN", "")

# Starts a unit's command in its own session, and ends that.
_SYSTEMCTL = """#!/bin/bash
echo "systemctl $*" >> "$HERE/calls"
unit=${2:-none}
file="$HERE/etc/systemd/$unit"
case $1 in
    start)
        eval "environment=($(sed -n 's/^Environment *= *//p' "$file"))"
        read -ra command < <(sed -n 's/^ExecStart *= *//p' "$file")
        env "${environment[@]}" setsid "${command[@]}" > "$HERE/$unit.log" 2>&1 &
        echo $! > "$HERE/$unit.pid" ;;
    stop)
        pid=$(< "$HERE/$unit.pid")
        kill "$pid"
        while [[ -e /proc/$pid ]]; do sleep 0.1; done ;;
    enable) touch "$HERE/enabled-$unit" ;;
    disable) rm "$HERE/enabled-$unit" ;;
    is-enabled) [[ -e "$HERE/enabled-$unit" ]] ;;
esac
"""


@pytest.fixture
def running(stack: MakeStack) -> Iterator[Callable[..., Stack]]:
    """Makes a stack whose services run, and ends them."""
    made: list[Stack] = []

    def make(**settings: str) -> Stack:
        there = stack(SERVICE_TIMEOUT="120", **settings)
        there.program("systemctl", _SYSTEMCTL)
        made.append(there)
        return there

    yield make
    for there in made:
        there.run("unstack")


def keeps_objects(there: Stack) -> None:
    """Write and read an object with the keys that Glance was given."""
    store = there.config()["fast"]
    server = S3Server(
        name="plugin's",
        endpoint=store["s3_store_host"],
        access_key=store["s3_store_access_key"],
        secret_key=store["s3_store_secret_key"],
    )
    client = server.client()
    client.create_bucket(Bucket=store["s3_store_bucket"])
    client.put_object(Bucket=store["s3_store_bucket"], Key="image", Body=b"bytes")
    found = client.get_object(Bucket=store["s3_store_bucket"], Key="image")
    assert found["Body"].read() == b"bytes"


def twice(there: Stack, data: pathlib.Path, units: int) -> None:
    """Stack, unstack, stack and clean; each stack begins without objects."""
    for _ in range(2):
        output = there.succeed(*UNTIL_GLANCE_STARTS)
        store = there.config()["fast"]
        assert store["s3_store_secret_key"] not in output + there.arguments
        keeps_objects(there)
        there.succeed("unstack")
        assert not list(there.here.glob("enabled-*"))
    assert data.is_dir()
    there.succeed("clean")
    assert not data.exists()
    started = [call for call in there.calls if call.startswith("systemctl start")]
    stopped = [call for call in there.calls if call.startswith("systemctl stop")]
    assert len(started) == len(stopped) == 2 * units


@pytest.mark.skipif(not shutil.which("radosgw"), reason="no radosgw, a Debian package")
def test_rgw(running: Callable[..., Stack]) -> None:
    there = running(
        S3GATEWAY_S3_SERVER="rgw",
        S3GATEWAY_RGW_PORT=str(free_port()),
        S3GATEWAY_RGW_MON_PORT=str(free_port()),
        S3GATEWAY_RGW_DISK_SIZE="5G",
    )
    there.record()

    twice(there, there.here / "opt" / "data" / "s3gateway" / "ceph", units=3)


@pytest.mark.skipif(not MINIO, reason="S3GATEWAY_MINIO_BIN does not name a minio")
def test_minio(running: Callable[..., Stack]) -> None:
    there = running(
        S3GATEWAY_S3_SERVER="minio",
        S3GATEWAY_MINIO_BIN=MINIO,
        S3GATEWAY_MINIO_PORT=str(free_port()),
    )
    there.record()

    twice(there, there.here / "opt" / "data" / "s3gateway" / "minio", units=1)

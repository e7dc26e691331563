# SPDX-License-Identifier: Apache-2.0
"""Volumes of a document: how long each took to make, and what is in it."""

from __future__ import annotations

import datetime
import hashlib
import re
from typing import Any

from tests.support.servers.ceph import Ceph
from tests.support.servers.cinder import Cinder
from tests.support.servers.keystone import ALICE
from tests.support.servers.keystone import User
from tests.support.servers.processes import run


def id_in(printed: str) -> str:
    """Return the id in a table that a client has printed."""
    [found] = re.findall(r"(?m)^\| id +\| (\S+) +\|", printed)
    return str(found)


def seconds_until_available(
    cinder: Cinder, kind: str, printed: str, user: User = ALICE
) -> tuple[dict[str, Any], float]:
    """Wait for what a client has begun; return it, and how long Cinder took.

    :param kind: ``volume`` or ``backup``
    """
    made = cinder.wait_for(kind, id_in(printed), user)
    now = datetime.datetime.now(datetime.timezone.utc)
    begun = datetime.datetime.fromisoformat(made["created_at"])
    return made, (now - begun.replace(tzinfo=datetime.timezone.utc)).total_seconds()


def digest(node: Ceph, volume: str, size: int) -> str:
    """Return the SHA-256 of the first bytes of a volume, as Ceph exports them."""
    export = f"rbd -c {node.config} export --no-progress volumes/volume-{volume} -"
    # head ends before rbd does
    line = f"{export} 2>/dev/null | head -c {size} | sha256sum"
    return run(["bash", "-c", line]).stdout.split()[0]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def downloads(log: str, image: str) -> int:
    """Return how often the gateway has served the whole of an image."""
    return len(re.findall(rf"download of image {image}, store \S+: ok,", log))

# SPDX-License-Identifier: Apache-2.0
"""The rows of the parity table: requests to both Glances."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from tests.parity.record import Recorder
from tests.parity.record import RecordingApi
from tests.support.servers.glance import Config
from tests.support.servers.identity import token

ALICE = token("alice", "acme", "member", "reader")
BOB = token("bob", "globex", "member", "reader")
READER = token("rita", "acme", "reader")
ADMIN = token("root", "admin", "admin", "member", "reader")

MIB = 1024**2
SIZE_CAP = 20 * MIB
SMALL = bytes(range(256)) * 5
OBJECT_IN_THE_WAY = "upload where an object has the image's id"
CLIENT_GONE = "upload whose client goes away"
LARGE = bytes(range(253)) * (17 * MIB // 253)


@dataclasses.dataclass(frozen=True)
class Row:
    """One row.

    :ivar main: whether it is also run in the shapes that get the main rows only
    :ivar once: whether one shape is enough, because no server has a part in it
    :ivar full: whether it is of the full tier in every shape
    :ivar since: the first release that it makes sense for
    :ivar config: options by section that Glance needs for it
    :ivar policy: the content of Glance's policy file
    """

    name: str
    run: Callable[[Recorder], None]
    main: bool
    once: bool
    full: bool
    since: int
    config: Config
    policy: str

    def __str__(self) -> str:
        return self.name


ROWS: list[Row] = []


def row(
    name: str,
    *,
    main: bool = False,
    once: bool = False,
    full: bool = False,
    since: int = 0,
    config: Config | None = None,
    policy: str = "",
) -> Callable[[Callable[[Recorder], None]], Callable[[Recorder], None]]:
    """Make a function a row of the table."""

    def add(run: Callable[[Recorder], None]) -> Callable[[Recorder], None]:
        ROWS.append(Row(name, run, main, once, full, since, config or {}, policy))
        return run

    return add


def active(alice: RecordingApi, **fields: Any) -> str:
    """Create an image with a little data and return its id."""
    image_id = alice.create(**fields)
    alice.upload(image_id, SMALL)
    return image_id

# SPDX-License-Identifier: Apache-2.0
"""Uploads to one image at once, their requests in any order: one of them wins.

The stores and Glance are in memory.  An upload waits for its turn before each request,
and chance decides whose turn it is.  A store that does not decide between writers
looks in one turn whether there is an object, and writes in another.  Glance reads an
image in one, and writes it in another.
"""

from __future__ import annotations

import functools
import itertools
import json
import pathlib
import random
import time

import pytest

from s3gateway.upload import claims
from tests.support import tiers
from tests.support.servers.inprocess import GRACE
from tests.support.servers.inprocess import InProcess
from tests.support.turns import Turns

DEAD = "0123456789abcdef"


class Race:
    """Uploads to one image, each through another gateway.

    :ivar statuses: of their answers
    :param stores: where each of them goes
    :param decides: whether the stores decide between writers
    """

    def __init__(
        self,
        directory: pathlib.Path,
        monkeypatch: pytest.MonkeyPatch,
        stores: tuple[str, ...],
        *,
        decides: bool,
    ) -> None:
        self.world = InProcess(directory, monkeypatch)
        self.image_id = self.world.glance.create()
        self.stores = stores
        self.decides = decides
        self.statuses = [0 for _ in stores]
        self._gateways = [self.world.gateway() for _ in stores]
        self._monkeypatch = monkeypatch
        for store in self.world.stores.values():
            store.decides = decides

    def crash_before(self, store: str, about: str) -> None:
        """Leave a dead upload's object in a store, and its claim there or elsewhere."""
        key = f"{self.image_id}.{DEAD}"
        self.world.stores[about].objects_by_key[key] = b"of the dead"
        attempt = {"store": about, "key": key, "upload_id": ""}
        claim = {"nonce": DEAD, "gateway": "gone", "attempts": [attempt]}
        name = claims.PREFIX + self.image_id
        self.world.stores[store].objects_by_key[name] = json.dumps(claim).encode()
        self.world.age(GRACE)

    def run(self, seed: int) -> None:
        """Let all of them upload at once."""
        turns = Turns(random.Random(seed))  # noqa: S311
        for store in self.world.stores.values():
            store.before = lambda request, key: turns.step()
        self.world.glance.before = lambda method: turns.step()
        self._monkeypatch.setattr(time, "sleep", lambda _: turns.step(patient=True))
        turns.run(*(functools.partial(self.put, i) for i in range(len(self.stores))))

    def put(self, index: int) -> None:
        """Let one of them upload."""
        self.statuses[index] = self.world.put(
            self._gateways[index],
            self.image_id,
            f"of upload {index}".encode(),
            self.stores[index],
        )

    def check(self) -> None:
        """The image is the winner's, whole, and nothing of the others is left.

        Of three, all may have given way where nothing decides.  Then the next one wins.
        """
        if not self.decides and self.statuses == [409, 409, 409]:
            assert self.world.left(self.image_id) <= self.world.claimed()
            self.put(0)
        assert sorted(self.statuses) == [204] + [409] * (len(self.stores) - 1)
        winner = self.statuses.index(204)
        assert self.world.data_of(self.image_id) == [f"of upload {winner}".encode()]
        assert self.world.glance.images[self.image_id]["status"] == "active"
        assert not self.world.left(self.image_id)
        # Two that take over from a dead one where nothing decides may leave a claim:
        # one keeps it for the other, which has collected all.  It keeps nobody out.
        assert not self.world.claimed(running=True)


@pytest.mark.parametrize("seeds", tiers.but([range(15)], [range(15), range(15, 500)]))
@pytest.mark.parametrize("decides", [True, False], ids=["decides", "looks"])
@pytest.mark.parametrize(
    "dead", [(), ("fast", "fast"), ("fast", "cheap"), ("cheap", "cheap")], ids=repr
)
@pytest.mark.parametrize(
    "stores",
    [("fast", "fast"), ("fast", "cheap"), ("cheap", "cheap", "fast")],
    ids="-".join,
)
def test_any_order_of_requests(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    stores: tuple[str, ...],
    dead: tuple[str, str] | tuple[()],
    decides: bool,
    seeds: range,
) -> None:
    for seed in seeds:
        with monkeypatch.context() as patch:
            race = Race(tmp_path, patch, stores, decides=decides)
            if dead:
                race.crash_before(*dead)
            race.run(seed)
            print(f"seed {seed}: {race.statuses}")
            race.check()


@pytest.mark.parametrize("decides", [True, False], ids=["decides", "looks"])
@pytest.mark.parametrize(
    "stores", [("fast", "fast"), ("fast", "cheap"), ("cheap", "fast")], ids="-".join
)
def test_one_that_stalled_gives_way_to_the_next(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    stores: tuple[str, ...],
    decides: bool,
) -> None:
    """The first stops before one of its requests, until its claim counts as dead."""
    for step in itertools.count(1):
        with monkeypatch.context() as patch:
            race = Race(tmp_path, patch, stores, decides=decides)
            if not stall(race, patch, step):
                break
            print(f"stalled before request {step}: {race.statuses}")
            race.check()
    assert step > len(["show", "rehearse", "claim", "look", "object"])


def stall(race: Race, patch: pytest.MonkeyPatch, step: int) -> bool:
    """Let the first upload wait before a request until the second is over.

    :return: whether that came to pass; not if the first was registering by then
    """
    steps: list[str] = []

    def passed(request: str, key: str = "") -> None:
        steps.append(request)
        if len(steps) == step and steps.count("PATCH") < 2:
            late = time.monotonic() + GRACE
            patch.setattr(time, "monotonic", lambda: late)
            race.world.age(GRACE)
            race.put(1)

    for store in race.world.stores.values():
        store.before = passed
    race.world.glance.before = passed
    race.put(0)
    return race.statuses[1] != 0

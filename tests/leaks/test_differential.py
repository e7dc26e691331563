# SPDX-License-Identifier: Apache-2.0
"""Thousands of requests by which a member tries to write a location.

After each of them the images of both tenants and their locations are what they were,
unless stock Glance with locations invisible, asked the same, changes them alike.
"""

from __future__ import annotations

import collections
import dataclasses
import os
from collections.abc import Callable

import pytest

from tests.leaks.attacks import Attack
from tests.leaks.attacks import Attacker
from tests.leaks.conftest import Lines
from tests.leaks.ground import Ground
from tests.leaks.ground import Line
from tests.leaks.ground import Rows
from tests.leaks.ground import aims
from tests.leaks.ground import prepare
from tests.support.servers.cloud import Cloud

#: Requests of one run: a thousand each time, more than 20,000 in all in the full tier.
COUNT = 5500 if os.environ.get("S3GATEWAY_FULL") else 1000
SEED = 20261126

INVISIBLE = {
    "DEFAULT": {
        "show_multiple_locations": "false",
        "show_image_direct_url": "false",
    }
}


@dataclasses.dataclass
class Run:
    """What came of a run.

    :ivar statuses: how often each status was answered, 0 for none
    :ivar alike: changes that stock Glance with locations invisible makes as well
    :ivar wrong: attacks that changed what stock does not change
    """

    statuses: collections.Counter[int]
    alike: int
    wrong: list[Attack]


def attack(cloud: Cloud, url: str, seed: int, count: int, *, most: int = 1) -> Run:
    """Send attacks until there are enough of them, or enough that come through."""
    run = Run(collections.Counter(), 0, [])
    ground, line = prepare(cloud), Line(url)
    attacker = Attacker(seed, aims(ground))
    before = ground.rows()
    for _ in range(count):
        made = attacker.attack()
        run.statuses[line.send(made)] += 1
        if (after := ground.rows()) == before:
            continue
        if does_stock_alike(ground, before, after, made):
            run.alike += 1
        else:
            run.wrong.append(made)
            if len(run.wrong) == most:
                break
        ground = prepare(cloud)
        attacker.aim(aims(ground))
        before = ground.rows()
    line.close()
    return run


def does_stock_alike(ground: Ground, before: Rows, after: Rows, made: Attack) -> bool:
    """Whether stock Glance with locations invisible changes as much by the same."""
    if any(row[0] == ground.others for row in set(before) ^ set(after)):
        return False  # nothing that is not the attacker's own
    # Stock that is busy answers 500 now and then, and has done nothing.
    return any(does_a_twin_alike(ground, made) for _ in range(3))


def does_a_twin_alike(ground: Ground, made: Attack) -> bool:
    """Ask stock the same of images like these; whether they become alike."""
    twin = prepare(ground.cloud)
    line = Line(ground.cloud.glance(gateway=False, config=INVISIBLE).url)
    line.send(renamed(made, dict(zip(ground.images, twin.images, strict=True))))
    line.close()
    return twin.shape() == ground.shape()


def renamed(made: Attack, names: dict[str, str]) -> Attack:
    """Return an attack on other images."""
    target, body = made.target, made.body
    for old, new in names.items():
        target = target.replace(old, new).replace(old.upper(), new.upper())
        body = body.replace(old.encode(), new.encode())
    return dataclasses.replace(made, target=target, body=body)


@pytest.mark.timeout(3000)
@pytest.mark.parametrize("shape", ["filter", "stand-alone"])
@pytest.mark.parametrize("release", [pytest.param(30, marks=pytest.mark.full), 33])
def test_no_request_writes_a_location(
    clouds: Callable[[int], Cloud], lines: Lines, release: int, shape: str
) -> None:
    cloud = clouds(release)
    gateway = cloud.glance(gateway=True) if shape == "filter" else cloud.standalone()
    run = attack(cloud, gateway.url, SEED + release, COUNT)
    assert not run.wrong
    statuses = ", ".join(f"{n} x {code}" for code, n in sorted(run.statuses.items()))
    lines.append(
        f"{shape}, Glance {release}: {run.statuses.total()} requests, {run.alike} "
        f"changed what stock changes too, none changed more ({statuses})"
    )


def test_without_the_guard_the_attacks_come_through(cloud: Cloud, lines: Lines) -> None:
    """Or the runs above could not fail."""
    bare = cloud.glance(gateway=True, guarded=False)
    run = attack(cloud, bare.url, SEED, 1000, most=5)
    assert len(run.wrong) == 5
    count = run.statuses.total()
    lines.append(f"without the guard: 5 of {count} requests wrote a location")

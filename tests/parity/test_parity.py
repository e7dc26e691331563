# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from tests.parity import allowed
from tests.parity import rows
from tests.parity.compare import differences
from tests.parity.conftest import Tally
from tests.parity.record import Entry
from tests.parity.record import Recorder
from tests.parity.rows import Row
from tests.parity.table import STAND_ALONE
from tests.parity.table import TABLE
from tests.parity.table import Shape
from tests.support.servers.cloud import Cloud
from tests.support.servers.environments import MAIN
from tests.support.servers.environments import MAIN_TREE
from tests.support.servers.glance import merged


def recorded(cloud: Cloud, shape: Shape, row: Row, *, gateway: bool) -> list[Entry]:
    alone = shape.wsgi == STAND_ALONE
    ours = {"registration": "api"} if gateway and shape.is_by_api else {}
    ours |= cloud.hot_images() if gateway and shape.hot else {}
    how: dict[str, Any] = {
        "wsgi": "gunicorn" if alone else shape.wsgi,
        "flavor": shape.flavor,
        "config": merged(
            {"DEFAULT": {"image_size_cap": str(rows.SIZE_CAP)}},
            {"s3gateway": ours} if ours else {},
            row.config,
        ),
        "policy": row.policy,
    }
    if alone and gateway:
        url = cloud.standalone(**how).url
    else:
        url = cloud.glance(gateway=gateway, **how).url
    recorder = Recorder(url, cloud)
    row.run(recorder)
    return recorder.entries


@pytest.mark.parametrize(
    ("shape", "row"),
    [
        pytest.param(
            shape,
            row,
            id=f"{shape}: {row}",
            marks=[pytest.mark.full] * shape.is_full(row),
        )
        for shape, row in TABLE
    ],
)
def test_row(
    clouds: Callable[[int], Cloud], tally: Tally, shape: Shape, row: Row
) -> None:
    if shape.release == MAIN and not os.environ.get(MAIN_TREE):
        pytest.skip(f"{MAIN_TREE} names no tree of Glance's main branch")
    cloud = clouds(shape.release)
    stock = recorded(cloud, shape, row, gateway=False)
    gateway = recorded(cloud, shape, row, gateway=True)
    found = list(differences(row.name, stock, gateway))
    judged = [
        (difference, allowed.allowance(difference, by_api=shape.is_by_api))
        for difference in found
    ]
    tally.rows[str(shape)] += 1
    tally.seen.add((str(shape), row.name))
    tally.equal[str(shape)] += not found
    tally.allowed.update(allowance.name for _, allowance in judged if allowance)
    unexpected = [str(difference) for difference, allowance in judged if not allowance]
    assert not unexpected, "\n".join(["", *unexpected])

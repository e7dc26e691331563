# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gc
import pathlib
import weakref
from collections.abc import Iterator

import pytest

from s3gateway.factory import _spare_what_is_there as spare_what_is_there
from s3gateway.factory import filter_factory


class Cycle:
    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def nothing_spared() -> Iterator[None]:
    """Not even by the gateways that tests before this one have made."""
    gc.unfreeze()
    yield
    gc.enable()
    gc.unfreeze()


def test_what_is_there_is_gone_through_no_more() -> None:
    there = Cycle()
    seen = weakref.ref(there)
    spare_what_is_there()
    del there
    gc.collect()
    assert seen() is not None


def test_a_cycle_of_before_is_not_spared() -> None:
    gone = weakref.ref(Cycle())
    spare_what_is_there()
    assert gone() is None


def test_a_cycle_of_later_is_found() -> None:
    spare_what_is_there()
    later = weakref.ref(Cycle())
    gc.collect()
    assert later() is None


def test_where_nobody_is_to_look_for_cycles() -> None:
    gc.disable()
    gone = weakref.ref(Cycle())
    spare_what_is_there()
    assert gone() is not None
    assert gc.get_freeze_count() == 0


def test_of_a_process_that_has_a_gateway(tmp_path: pathlib.Path) -> None:
    config = tmp_path / "glance-api.conf"
    config.touch()
    assert gc.get_freeze_count() == 0
    filter_factory({}, config_file=str(config))(lambda environ, start_response: [])
    assert gc.get_freeze_count() > 0

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from s3gateway.cycles import looked_for_less_often

USUAL = (700, 10, 10)


@pytest.fixture(autouse=True)
def usual() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(*USUAL)
    yield
    gc.set_threshold(*before)


def test_until_the_last_one_is_through() -> None:
    first, second = looked_for_less_often(), looked_for_less_often()
    with first:
        second.__enter__()
        assert gc.get_threshold() == (10_000, 100, 10)
    assert gc.get_threshold() == (10_000, 100, 10)
    second.__exit__(None, None, None)
    assert gc.get_threshold() == USUAL


class Cycle:
    def __init__(self) -> None:
        self.itself = self


def test_what_was_made_meanwhile_does_not_lie_about() -> None:
    with looked_for_less_often():
        made = weakref.ref(Cycle())
        assert made() is not None
    assert made() is None


def test_what_does_lie_about_where_nobody_is_to_look() -> None:
    gc.disable()
    try:
        with looked_for_less_often():
            made = weakref.ref(Cycle())
        assert made() is not None
    finally:
        gc.enable()


def test_after_an_error() -> None:
    with pytest.raises(ValueError, match="whatever"), looked_for_less_often():
        raise ValueError("whatever")
    assert gc.get_threshold() == USUAL


@pytest.mark.parametrize("threshold", [0, 50_000])
def test_what_somebody_has_set_stays(threshold: int) -> None:
    gc.set_threshold(threshold, 10, 10)
    with looked_for_less_often():
        assert gc.get_threshold() == (threshold, 10, 10)
    assert gc.get_threshold() == (threshold, 10, 10)

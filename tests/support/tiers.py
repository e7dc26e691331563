# SPDX-License-Identifier: Apache-2.0
"""Which of a test's parameters belong to the full tier."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterable

import pytest


def but(always: Collection[object], everything: Iterable[object]) -> list[object]:
    """Return parameters of which all but some belong to the full tier.

    :param always: those that ``make test`` runs as well
    """
    return [
        each if each in always else pytest.param(*_values(each), marks=pytest.mark.full)
        for each in everything
    ]


def _values(each: object) -> tuple[object, ...]:
    return each if isinstance(each, tuple) else (each,)

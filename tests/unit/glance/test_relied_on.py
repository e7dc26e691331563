# SPDX-License-Identifier: Apache-2.0
"""The gateway checks what it relies on in Glance before it uses it."""

from __future__ import annotations

import sys
import types
from collections.abc import Sequence
from typing import Any

import pytest

from s3gateway.glance import relied_on
from s3gateway.glance.relied_on import RELIED_ON

Row = tuple[str, str, tuple[str, ...]]


def make(parameters: tuple[str, ...]) -> Any:
    """Return a function that takes these parameters."""
    found: dict[str, Any] = {}
    exec(f"def made({', '.join(parameters)}): pass", found)  # noqa: S102
    return found["made"]


def install(monkeypatch: pytest.MonkeyPatch, relied_on: Sequence[Row]) -> None:
    """Put modules with such things in them where they are imported from."""
    for module in {row[0] for row in relied_on}:
        place: Any = types.ModuleType(module)
        for _, name, parameters in relied_on_of(module, relied_on):
            owner, _, method = name.rpartition(".")
            if not owner:
                things = {"__init__": make(("self", *parameters))}
                setattr(place, name, type(name, (), things))
            else:
                if not hasattr(place, owner):
                    setattr(place, owner, type(owner, (), {}))
                setattr(getattr(place, owner), method, make(("self", *parameters)))
        monkeypatch.setitem(sys.modules, module, place)


def relied_on_of(module: str, relied_on: Sequence[Row]) -> list[Row]:
    """Return the rows of a module, those of classes before those of methods."""
    found = [row for row in relied_on if row[0] == module]
    return sorted(found, key=lambda row: row[1].count("."))


def test_a_glance_that_has_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, RELIED_ON)
    relied_on.check()


def test_no_glance_at_all() -> None:
    with pytest.raises(relied_on.Unfit) as unfit:
        relied_on.check()
    assert not unfit.value.is_here


@pytest.mark.parametrize("missing", RELIED_ON, ids=lambda row: row[1])
def test_something_is_missing(monkeypatch: pytest.MonkeyPatch, missing: Row) -> None:
    rest = [
        row
        for row in RELIED_ON
        if row[0] != missing[0] or not f"{row[1]}.".startswith(f"{missing[1]}.")
    ]
    if not any(row[0] == "glance.api.v2.image_data" for row in rest):
        rest.append(("glance.api.v2.image_data", "create_resource", ()))
    install(monkeypatch, rest)
    with pytest.raises(relied_on.Unfit, match=f"{missing[0]} has no {missing[1]}"):
        relied_on.check()


@pytest.mark.parametrize(
    ("row", "parameter"),
    [(row, parameter) for row in RELIED_ON for parameter in row[2]],
    ids=str,
)
def test_a_parameter_is_missing(
    monkeypatch: pytest.MonkeyPatch,
    row: Row,
    parameter: str,
) -> None:
    module, name, parameters = row
    less = tuple(other for other in parameters if other != parameter)
    install(
        monkeypatch,
        [(module, name, less) if one == row else one for one in RELIED_ON],
    )
    with pytest.raises(relied_on.Unfit, match=f"{module}.{name} takes no {parameter}"):
        relied_on.check()

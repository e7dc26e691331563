# SPDX-License-Identifier: Apache-2.0
"""The differences between two recordings of one row."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from tests.parity.record import Entry

ABSENT = "(absent)"


@dataclasses.dataclass(frozen=True)
class Difference:
    """One fact in which the gateway is not as stock.

    :ivar statuses: of the answer that it is about, stock's and the gateway's
    """

    row: str
    what: str
    field: str
    stock: Any
    gateway: Any
    statuses: tuple[int, int] = (0, 0)

    def __str__(self) -> str:
        change = f"{self.stock!r:.200} -> {self.gateway!r:.200}"
        return f"{self.row}: {self.what}: {self.field}: {change}"


def differences(
    row: str, stock: list[Entry], gateway: list[Entry]
) -> Iterator[Difference]:
    """Yield every difference between two recordings of a row."""
    if len(stock) != len(gateway):
        yield Difference(row, "the row", "entries", len(stock), len(gateway))
    for ours, theirs in zip(gateway, stock, strict=False):
        if ours.what != theirs.what:
            yield Difference(row, theirs.what, "what", theirs.what, ours.what)
        statuses = theirs.facts.get("status", 0), ours.facts.get("status", 0)
        for field, one, other in _compared("", theirs.facts, ours.facts):
            yield Difference(row, theirs.what, field, one, other, statuses)


def _compared(path: str, stock: Any, gateway: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(stock, dict) and isinstance(gateway, dict):
        for key in sorted({*stock, *gateway}):
            where = f"{path}.{key}" if path else key
            yield from _compared(
                where, stock.get(key, ABSENT), gateway.get(key, ABSENT)
            )
    elif (
        isinstance(stock, list)
        and isinstance(gateway, list)
        and len(stock) == len(gateway)
    ):
        for index, (one, other) in enumerate(zip(stock, gateway, strict=True)):
            yield from _compared(f"{path}[{index}]", one, other)
    elif stock != gateway:
        yield path, stock, gateway

# SPDX-License-Identifier: Apache-2.0
"""Plans for parts, on paper: S3 takes 10,000 of 5 MiB to 5 GiB."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3gateway.errors import TooLarge
from s3gateway.upload import parts

MIB = 1024**2
MAX_OBJECT_SIZE = 5 * 1024**4
GIB = 1024**3
BASES = st.integers(5, 512).map(lambda mib: mib * MIB)


def plan(base: int, size: int, *, known: bool) -> list[int]:
    """Return the part sizes of a whole upload."""
    sizes = []
    sent = 0
    while sent < size:
        part = min(parts.part_size(base, sent, size if known else None), size - sent)
        sizes.append(part)
        sent += part
    return sizes


@given(base=BASES, size=st.integers(1, MAX_OBJECT_SIZE))
def test_a_known_size_fits(base: int, size: int) -> None:
    part = parts.part_size(base, 0, size)
    assert part >= base
    assert -(-size // part) <= parts.MAX_PARTS
    assert part % MIB == 0


@pytest.mark.parametrize("base", [5 * MIB, 8 * MIB, 10 * MIB, 100 * MIB])
def test_five_tebibytes_of_unknown_size_fit(base: int) -> None:
    sizes = plan(base, MAX_OBJECT_SIZE, known=False)
    assert len(sizes) <= parts.MAX_PARTS
    assert max(sizes) <= 5 * GIB
    assert min(sizes[:-1]) >= 5 * MIB
    assert all(size % MIB == 0 for size in sizes[:-1])


@given(base=BASES, sent=st.integers(0, MAX_OBJECT_SIZE))
def test_parts_of_an_unknown_size_only_grow(base: int, sent: int) -> None:
    part = parts.part_size(base, sent, None)
    assert base <= part <= parts.part_size(base, sent + part, None)


def test_parts_stay_small_as_long_as_they_can() -> None:
    assert set(plan(10 * MIB, 12 * GIB, known=False)[:-1]) == {10 * MIB}


def test_equal_parts_of_an_unknown_size_end_in_time() -> None:
    most = 10_000 * 5 * MIB
    assert parts.equal_part_size(5 * MIB, most - 5 * MIB) == 5 * MIB
    with pytest.raises(TooLarge, match="may have 50000 MiB in this store"):
        parts.equal_part_size(5 * MIB, most)

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import mmap
import weakref

from s3gateway.streams.buffers import Slabs


def kept(slabs: Slabs, those: list[mmap.mmap]) -> int:
    """Return how many of those are handed out again."""
    known = {id(slab) for slab in those}
    count = 0
    while id(slabs.take()) in known:
        count += 1
    return count


def test_slabs_of_all_uploads_are_used_again() -> None:
    slabs = Slabs(keep=2)
    with slabs.in_use(), slabs.in_use(), slabs.in_use():
        taken = [slabs.take() for _ in range(6)]
        slabs.give_back(taken)
        assert kept(slabs, taken) == 6


def test_none_is_kept_for_nobody() -> None:
    slabs = Slabs(keep=6)
    with slabs.in_use():
        taken = [slabs.take() for _ in range(6)]
        known = [weakref.ref(slab) for slab in taken]
        slabs.give_back(taken)
        del taken
        assert all(slab() is not None for slab in known)
    assert not any(slab() is not None for slab in known)


def test_an_upload_that_ends_leaves_the_others_theirs() -> None:
    slabs = Slabs(keep=2)
    with slabs.in_use(), slabs.in_use():
        with slabs.in_use():
            taken = [slabs.take() for _ in range(6)]
            slabs.give_back(taken)
        assert kept(slabs, taken) == 4

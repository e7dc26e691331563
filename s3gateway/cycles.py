# SPDX-License-Identifier: Apache-2.0
"""How often CPython looks for reference cycles.

By default after 700 new objects.  Whoever makes many that stay for a while, as botocore
does when it parses its service descriptions, has it go through all of them, and through
all of Glance, again and again.
"""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import Iterator

_ENOUGH = 10_000  # new objects
_SELDOM = 100  # times that many, before those of all those times are gone through

_lock = threading.Lock()
_users = 0
_before = (0, 0, 0)


@contextlib.contextmanager
def looked_for_less_often() -> Iterator[None]:
    """Look for cycles after 10,000 new objects, not 700, in the whole process.

    In the end all objects that are still new are gone through, so that nothing that was
    made meanwhile lies about until all of Glance is.
    What somebody has set to more, or turned off, stays as it is.
    """
    global _users, _before  # noqa: PLW0603  it is the process that has the threshold
    with _lock:
        _users += 1
        if _users == 1:
            _before = gc.get_threshold()
            if _is_often(_before[0]):
                gc.set_threshold(_ENOUGH, _SELDOM, _before[2])
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if not _users:
                gc.set_threshold(*_before)
        if _is_often(_before[0]):
            gc.collect(1)


def _is_often(threshold: int) -> bool:
    return gc.isenabled() and 0 < threshold < _ENOUGH

# SPDX-License-Identifier: Apache-2.0
"""How often CPython looks for reference cycles.

By default after 700 new objects.  Whoever makes many that stay, as botocore does when
it parses its service descriptions, has it go through all of them, and through all of
Glance, again and again.
"""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import Iterator

_ENOUGH = 10_000  # new objects

_lock = threading.Lock()
_users = 0
_before = (0, 0, 0)


@contextlib.contextmanager
def looked_for_less_often() -> Iterator[None]:
    """Look for cycles after 10,000 new objects, not 700, in the whole process.

    What somebody has set to more, or turned off, stays as it is.
    """
    global _users, _before  # noqa: PLW0603  it is the process that has the threshold
    with _lock:
        _users += 1
        if _users == 1:
            _before = gc.get_threshold()
            if 0 < _before[0] < _ENOUGH:
                gc.set_threshold(_ENOUGH, *_before[1:])
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if not _users:
                gc.set_threshold(*_before)

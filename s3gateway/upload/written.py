# SPDX-License-Identifier: Apache-2.0
"""What uploads of this process have just written.

When the gateway registers an image, Glance's own driver asks for the size of the
object.  Behind a face it asks the gateway, which still knows.
"""

from __future__ import annotations

import threading
import time

#: How long an object is remembered.
_KEPT = 10.0  # seconds
_MOST = 1000


class Written:
    """The sizes of new objects, for a few seconds."""

    def __init__(self) -> None:
        self._sizes: dict[tuple[str, str], tuple[int, float]] = {}
        self._lock = threading.Lock()

    def remember(self, store: str, key: str, size: int) -> None:
        """Remember an object in a store, that is whole and not yet anybody's."""
        with self._lock:
            self._sizes[store, key] = (size, time.monotonic())
            while len(self._sizes) > _MOST:
                del self._sizes[next(iter(self._sizes))]

    def forget(self, store: str, key: str) -> None:
        """Forget an object, which is deleted or replaced."""
        with self._lock:
            self._sizes.pop((store, key), None)

    def size(self, store: str, key: str) -> int | None:
        """Return the size of an object, ``None`` if it is not remembered."""
        with self._lock:
            size, since = self._sizes.get((store, key), (None, 0.0))
            if time.monotonic() - since > _KEPT:
                self._sizes.pop((store, key), None)
                return None
            return size

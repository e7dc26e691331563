# SPDX-License-Identifier: Apache-2.0
"""What this process has written and registers now.

While an image is registered, Glance's own driver asks for the size of the object.
Behind a face it asks the gateway, which has just counted the bytes.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator


class Written:
    """The sizes of new objects, as long as they are being registered."""

    def __init__(self) -> None:
        self._sizes: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def known(self, store: str, key: str, size: int) -> Iterator[None]:
        """Know the size of a whole object in a store."""
        with self._lock:
            self._sizes[store, key] = size
        try:
            yield
        finally:
            self.forget(store, key)

    def forget(self, store: str, key: str) -> None:
        """Forget an object, which is deleted or replaced."""
        with self._lock:
            self._sizes.pop((store, key), None)

    def size(self, store: str, key: str) -> int | None:
        """Return the size of an object, ``None`` if it is not known."""
        with self._lock:
            return self._sizes.get((store, key))

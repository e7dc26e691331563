# SPDX-License-Identifier: Apache-2.0
"""Retries of requests to a store: how long, and with which pauses."""

from __future__ import annotations

import contextlib
import contextvars
import math
import random
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from typing import TypeVar

from oslo_log import log as logging

from s3gateway.errors import StoreUnavailable
from s3gateway.monitoring import transfers

LOG = logging.getLogger(__name__)

T = TypeVar("T")

_FIRST_PAUSE = 0.1  # seconds
_LONGEST_PAUSE = 5.0
#: How long to try an unreachable store before the first byte has moved.  Until then the
#: client can read an error, and proxies give up on slow responses.
_REACHING = 5.0

_reached_until = contextvars.ContextVar("reached_until", default=math.inf)


@contextlib.contextmanager
def while_nothing_moved() -> Iterator[None]:
    """Retry an unreachable store for a short time only, because no byte has moved."""
    token = _reached_until.set(time.monotonic() + _REACHING)
    try:
        yield
    finally:
        _reached_until.reset(token)


def patiently(
    do: Callable[[], T],
    *,
    about: str,
    retry_time: float,
    cancelled: threading.Event | None = None,
    store: str = "",
) -> T:
    """Call a function; retry while the store is unavailable.

    The pauses double and are random, so that many uploads that a store slowed down
    together do not return together.

    :param about: the subject of the log line
    :param retry_time: when to give up, in seconds after the first try
    :param cancelled: stops the retries when it is set
    :param store: the store's identifier
    :raises StoreUnavailable: if the store is still unavailable after ``retry_time``
    """
    cancelled = cancelled or threading.Event()
    deadline = time.monotonic() + retry_time
    pause = _FIRST_PAUSE
    while True:
        try:
            return do()
        except StoreUnavailable as error:
            wait = pause * random.uniform(0.5, 1)  # noqa: S311  not for secrecy
            end = min(deadline, _reached_until.get()) if error.store_wide else deadline
            if time.monotonic() + wait > end or cancelled.wait(wait):
                raise
            LOG.warning("%s: %s; trying again", about, error)
            transfers.retried(store)
            pause = min(2 * pause, _LONGEST_PAUSE)

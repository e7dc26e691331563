# SPDX-License-Identifier: Apache-2.0
"""Trying again: for how long, and with which pauses."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from oslo_log import log as logging

from s3gateway.errors import StoreUnavailable
from s3gateway.monitoring import transfers

LOG = logging.getLogger(__name__)

T = TypeVar("T")

_FIRST_PAUSE = 0.1  # seconds
_LONGEST_PAUSE = 5.0


def patiently(
    do: Callable[[], T],
    *,
    about: str,
    retry_time: float,
    cancelled: threading.Event | None = None,
    store: str = "",
) -> T:
    """Do something until the store does not refuse it as unavailable.

    The pauses double and are random, so that many uploads that were slowed down
    together do not come back together.

    :param about: what the log is told that this was about
    :param retry_time: when to give up, in seconds after the first try
    :param cancelled: when set, it is not tried again
    :param store: the identifier of the store that is asked
    :raises StoreUnavailable: if it still is after ``retry_time``
    """
    cancelled = cancelled or threading.Event()
    deadline = time.monotonic() + retry_time
    pause = _FIRST_PAUSE
    while True:
        try:
            return do()
        except StoreUnavailable as error:
            wait = pause * random.uniform(0.5, 1)  # noqa: S311  not for secrecy
            if time.monotonic() + wait > deadline or cancelled.wait(wait):
                raise
            LOG.warning("%s: %s; trying again", about, error)
            transfers.retried(store)
            pause = min(2 * pause, _LONGEST_PAUSE)

# SPDX-License-Identifier: Apache-2.0
"""Waiting for a store: how long, how often, and with which pauses.

A proxy before Glance gives up on a slow answer, HAProxy after 50 seconds.  While no
byte has moved, and the client can be told, the gateway waits for less than that.
"""

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
#: How long to try an unreachable store before the first byte has moved.
_REACHING = 5.0
#: How long one is asked meanwhile that answers, and refuses.
_REFUSING = 40.0
#: How long the answer to a request is waited for meanwhile.
_ANSWERING = 30.0
#: The same, where it will hardly come and does not matter much.
A_MOMENT = 1.0

_reached_until = contextvars.ContextVar("reached_until", default=math.inf)
_refused_until = contextvars.ContextVar("refused_until", default=math.inf)
_longest_answer = contextvars.ContextVar("longest_answer", default=math.inf)


@contextlib.contextmanager
def while_nothing_moved() -> Iterator[None]:
    """Wait for a short time only, because no byte has moved."""
    now = time.monotonic()
    reached = _reached_until.set(now + _REACHING)
    refused = _refused_until.set(now + _REFUSING)
    try:
        with answered_within(_ANSWERING):
            yield
    finally:
        _reached_until.reset(reached)
        _refused_until.reset(refused)


@contextlib.contextmanager
def answered_within(seconds: float) -> Iterator[None]:
    """Wait no longer than so for each answer to this thread."""
    token = _longest_answer.set(min(_longest_answer.get(), seconds))
    try:
        yield
    finally:
        _longest_answer.reset(token)


def time_to_answer(longest: float) -> float:
    """Return how long a request may take to connect now, or its answer to begin.

    :param longest: as it is configured, in seconds
    """
    return min(longest, _longest_answer.get())


def patiently(
    do: Callable[[], T],
    *,
    about: str,
    retry_time: float,
    store: str,
    cancelled: threading.Event | None = None,
) -> T:
    """Call a function; retry while the store is unavailable.

    The pauses double and are random, so that many uploads that a store slowed down
    together do not return together.

    :param about: the subject of the log line
    :param retry_time: when to give up, in seconds after the first try
    :param store: the store's identifier
    :param cancelled: stops the retries when it is set
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
            limit = _reached_until if error.store_wide else _refused_until
            left = min(deadline, limit.get()) - time.monotonic()
            if left <= 0 or cancelled.wait(
                min(wait, left)
            ):  # the last try is at the end
                raise
            LOG.warning("%s: %s; trying again", about, error)
            transfers.retried(store)
            pause = min(2 * pause, _LONGEST_PAUSE)

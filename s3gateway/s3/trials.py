# SPDX-License-Identifier: Apache-2.0
"""What an S3 server does with a request is found out by trying it, once for a process.

Only what is certain is remembered: an answer that may be an accident, as a 400, 409 or
503 may be, is asked for again, and a trial that comes to nothing is made again later.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from concurrent import futures
from typing import Generic
from typing import TypeVar

from oslo_log import log as logging

from s3gateway.errors import StoreError
from s3gateway.s3.bucket import Bucket
from s3gateway.streams.retries import A_MOMENT
from s3gateway.streams.retries import answered_within

LOG = logging.getLogger(__name__)

T = TypeVar("T")

# As an upload to no image would name its object: what a crash leaves, gc collects.
PREFIX = "00000000-0000-0000-0000-000000000000."

_LATER = 60.0  # seconds after which a trial that came to nothing is repeated


class Trial(Generic[T]):
    """What one process has found out about a bucket, and finds out when first asked.

    No lock is held while S3 is asked.  Who asks during a trial gets what comes of it,
    an error too: nobody waits for longer than one trial takes.

    :param try_out: finds it out; ``None`` if that is not certain
    :param meanwhile: what counts while that is not certain
    """

    def __init__(
        self, bucket: Bucket, try_out: Callable[[Bucket], T | None], meanwhile: T
    ) -> None:
        self._bucket = bucket
        self._try_out = try_out
        self._meanwhile = meanwhile
        self._known: T | None = None
        self._trial: futures.Future[T] | None = None
        self._not_before = 0.0
        self._lock = threading.Lock()

    def outcome(self) -> T:
        """Return what was found out.

        :raises StoreError: what the trial raises
        """
        with self._lock:
            if self._known is not None:
                return self._known
            running = self._trial
            if running is None and time.monotonic() < self._not_before:
                return self._meanwhile
            trial = self._trial = running or futures.Future()
        if running is None:
            self._run(trial)
        return trial.result()

    def _run(self, trial: futures.Future[T]) -> None:
        try:
            found = self._try_out(self._bucket)
        except BaseException as error:
            # What is raised in this thread alone, as SystemExit is, is not for others.
            shared = isinstance(error, StoreError)
            other = StoreError(f"Store {self._bucket.name}: a trial ended early")
            self._end(None, 0.0)
            trial.set_exception(error if shared else other)
            raise
        self._end(found, _LATER)
        trial.set_result(self._meanwhile if found is None else found)

    def _end(self, found: T | None, pause: float) -> None:
        with self._lock:
            self._known = found
            self._trial = None
            self._not_before = time.monotonic() + pause


def clean_up(bucket: Bucket, key: str, retry_time: float) -> None:
    """Delete the object of a trial; it is no error of the trial if that fails."""
    try:
        with answered_within(math.inf if retry_time else A_MOMENT):
            bucket.delete(key, retry_time)
    except StoreError as error:
        LOG.warning("%s may have been left in store %s: %s", key, bucket.name, error)

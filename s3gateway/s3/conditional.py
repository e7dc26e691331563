# SPDX-License-Identifier: Apache-2.0
"""Conditional PUT: what ``If-None-Match: *`` is worth on an S3 server.

It is found out by trying, once for each bucket and process.  Only what is certain is
remembered: an answer that may be an accident, as a 400, 409 or 503 may be, is asked for
again, and a trial that comes to nothing is made again later.
"""

from __future__ import annotations

import enum
import math
import secrets
import threading
import time
from concurrent import futures

from oslo_log import log as logging

from s3gateway.errors import ObjectExists
from s3gateway.errors import StoreDenied
from s3gateway.errors import StoreError
from s3gateway.errors import StoreUnavailable
from s3gateway.errors import WriteConflict
from s3gateway.s3.bucket import CLEANING_TIME
from s3gateway.s3.bucket import Bucket
from s3gateway.streams.retries import A_MOMENT
from s3gateway.streams.retries import answered_within

LOG = logging.getLogger(__name__)

# As an upload to no image would name its object: what a crash leaves, gc collects.
PREFIX = "00000000-0000-0000-0000-000000000000."
#: What makes a PUT a conditional one (RFC 9110, 13.1.2).
IF_ABSENT = {"If-None-Match": "*"}

_WRITERS = 8
#: A store that does not decide lets one writer win by chance now and then.
_RACES = 5
_TRIES = 3
_PAUSE = 0.2  # seconds
_LEAST = 10.0  # seconds that a trial may take
_LATER = 60.0  # seconds after which one that came to nothing is repeated


class ConditionalPut(enum.Enum):
    """What ``If-None-Match: *`` is worth when an object is written.

    ``DECIDES``: of several writers exactly one writes; ``CHECKS``: an object that is
    there is not replaced, but several writers may write at once; ``IGNORED``: nobody
    is kept out.
    """

    DECIDES = "decides"
    CHECKS = "checks"
    IGNORED = "ignored"


class Knowledge:
    """What one process knows of conditional PUTs to one bucket.

    No lock is held while S3 is asked.  Who asks during a trial gets what comes of it,
    an error too: nobody waits for longer than one trial takes.
    """

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._known: ConditionalPut | None = None
        self._trial: futures.Future[ConditionalPut] | None = None
        self._not_before = 0.0
        self._lock = threading.Lock()

    def conditional_put(self) -> ConditionalPut:
        """Return what it is worth; while that is not certain, ``CHECKS``.

        :raises StoreUnavailable: if the server does not answer
        :raises StoreDenied: if the bucket cannot be written
        """
        with self._lock:
            if self._known is not None:
                return self._known
            running = self._trial
            if running is None and time.monotonic() < self._not_before:
                return ConditionalPut.CHECKS
            trial = self._trial = running or futures.Future()
        if running is None:
            self._run(trial)
        return trial.result()

    def _run(self, trial: futures.Future[ConditionalPut]) -> None:
        try:
            found = try_out(self._bucket)
        except BaseException as error:
            # What is raised in this thread alone, as SystemExit is, is not for others.
            shared = isinstance(error, StoreError)
            other = StoreError(f"Store {self._bucket.name} was not tried out")
            self._end(None, 0.0)
            trial.set_exception(error if shared else other)
            raise
        self._end(found, _LATER)
        trial.set_result(found or ConditionalPut.CHECKS)

    def _end(self, found: ConditionalPut | None, pause: float) -> None:
        with self._lock:
            self._known = found
            self._trial = None
            self._not_before = time.monotonic() + pause


def try_out(bucket: Bucket) -> ConditionalPut | None:
    """Find out what conditional PUTs are worth, ``None`` if that is not certain.

    :raises StoreUnavailable: if the server does not answer
    :raises StoreDenied: if the bucket cannot be written
    """
    key = PREFIX + secrets.token_hex(8)
    cleaning_time = CLEANING_TIME
    try:
        bucket.patiently(key, lambda: bucket.put(key, []))
        found = _judged(bucket, key)
    except (StoreDenied, StoreUnavailable):
        cleaning_time = 0.0  # it was tried for long enough
        raise
    except StoreError as error:  # an accident, or the real write says what is wrong
        LOG.info("Store %s could not be tried out: %s", bucket.name, error)
        return None
    finally:
        _clean_up(bucket, key, cleaning_time)
    word = found.value if found else "not certain"
    LOG.info("Store %s: If-None-Match on a write: %s", bucket.name, word)
    return found


class _Outcome(enum.Enum):
    """What came of a conditional PUT.

    ``CONFLICT``: it was not written, because others write at the same time;
    ``NOT_KNOWN``: the server knows no such header, or something went wrong;
    ``UNSURE``: it may have been written.
    """

    WROTE = enum.auto()
    REFUSED = enum.auto()
    CONFLICT = enum.auto()
    NOT_KNOWN = enum.auto()
    UNSURE = enum.auto()


def _put(bucket: Bucket, key: str) -> _Outcome:
    try:
        bucket.put(key, [], condition=IF_ABSENT)
    except WriteConflict:
        return _Outcome.CONFLICT
    except ObjectExists:
        return _Outcome.REFUSED
    except (StoreDenied, StoreUnavailable):
        return _Outcome.UNSURE
    except StoreError:
        return _Outcome.NOT_KNOWN
    return _Outcome.WROTE


def _judged(bucket: Bucket, key: str) -> ConditionalPut | None:
    """Judge by an object that is there, and then by writers that race for one."""
    deadline = time.monotonic() + max(_LEAST, bucket.transfer.retry_time)
    outcomes: list[_Outcome] = []
    while len(outcomes) < _TRIES and time.monotonic() < deadline:
        outcomes.append(_put(bucket, key))
        if outcomes[-1] is _Outcome.WROTE:
            return ConditionalPut.IGNORED
        if outcomes[-1] is _Outcome.REFUSED:
            return _decided(bucket, key, deadline)
        time.sleep(_PAUSE)
    ignored = set(outcomes) == {_Outcome.NOT_KNOWN}
    return ConditionalPut.IGNORED if ignored else None


def _decided(bucket: Bucket, key: str, deadline: float) -> ConditionalPut | None:
    """Let writers race until it is certain whether one of them wins each time."""
    won = doubtful = 0
    while won < _RACES:
        bucket.delete(key)
        outcomes = _race(bucket, key)
        winners = outcomes.count(_Outcome.WROTE)
        if winners > 1:
            return ConditionalPut.CHECKS
        losers = outcomes.count(_Outcome.REFUSED) + outcomes.count(_Outcome.CONFLICT)
        if (winners, losers) == (1, _WRITERS - 1):
            won += 1
            continue
        doubtful += 1
        if doubtful == _TRIES or time.monotonic() > deadline:
            return None
        time.sleep(_PAUSE)
    return ConditionalPut.DECIDES


def _race(bucket: Bucket, key: str) -> list[_Outcome]:
    """Let writers write at the very same time; return what came of each."""
    together = threading.Barrier(_WRITERS)

    def write(_: int) -> _Outcome:
        try:
            together.wait(timeout=10)
        except threading.BrokenBarrierError:
            return _Outcome.UNSURE
        return _put(bucket, key)

    with futures.ThreadPoolExecutor(_WRITERS) as pool:
        try:
            return list(pool.map(write, range(_WRITERS)))
        except RuntimeError:  # no more threads can be started
            together.abort()
            return []


def _clean_up(bucket: Bucket, key: str, retry_time: float) -> None:
    try:
        with answered_within(math.inf if retry_time else A_MOMENT):
            bucket.delete(key, retry_time)
    except StoreError as error:
        LOG.warning("%s may have been left in store %s: %s", key, bucket.name, error)

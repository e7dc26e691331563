# SPDX-License-Identifier: Apache-2.0
"""Conditional PUT: finds out by trial what ``If-None-Match: *`` does on a server.

Each process tries it once for each bucket, and remembers only certain results
(``trials``).
"""

from __future__ import annotations

import enum
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
from s3gateway.s3.trials import PREFIX
from s3gateway.s3.trials import Trial
from s3gateway.s3.trials import clean_up

LOG = logging.getLogger(__name__)

#: The condition of the PUT (RFC 9110, 13.1.2).
IF_ABSENT = {"If-None-Match": "*"}

_WRITERS = 8
#: In one race a store that does not decide may still let one writer win by chance.
_RACES = 5
_TRIES = 3
_PAUSE = 0.2  # seconds
_LEAST = 10.0  # seconds a trial may take at least


class ConditionalPut(enum.Enum):
    """The effect of ``If-None-Match: *`` on a PUT.

    ``DECIDES``: exactly one of several writers writes.  ``CHECKS``: an existing object
    is not replaced, but several writers may write at once.  ``IGNORED``: no effect.
    """

    DECIDES = "decides"
    CHECKS = "checks"
    IGNORED = "ignored"


class Knowledge(Trial[ConditionalPut]):
    """What one process knows about conditional PUTs to one bucket."""

    def __init__(self, bucket: Bucket) -> None:
        super().__init__(bucket, try_out, ConditionalPut.CHECKS)

    def conditional_put(self) -> ConditionalPut:
        """Return the effect of the condition; ``CHECKS`` while it is not certain.

        :raises StoreUnavailable: if the server does not answer
        :raises StoreDenied: if the bucket cannot be written
        """
        return self.outcome()


def try_out(bucket: Bucket) -> ConditionalPut | None:
    """Find out the effect of the condition; ``None`` if it is not certain.

    :raises StoreUnavailable: if the server does not answer
    :raises StoreDenied: if the bucket cannot be written
    """
    key = PREFIX + secrets.token_hex(8)
    cleaning_time = CLEANING_TIME
    try:
        bucket.patiently(key, lambda: bucket.put(key, []))
        found = _judged(bucket, key)
    except (StoreDenied, StoreUnavailable):
        cleaning_time = 0.0  # the requests were retried long enough
        raise
    except StoreError as error:  # an accident, or the real write will fail too
        LOG.info(
            "Store %s: the trial of conditional writes failed: %s", bucket.name, error
        )
        return None
    finally:
        clean_up(bucket, key, cleaning_time)
    word = found.value if found else "not certain"
    LOG.info("Store %s: If-None-Match on a write: %s", bucket.name, word)
    return found


class _Outcome(enum.Enum):
    """The outcome of a conditional PUT.

    ``CONFLICT``: not written, because others write at the same time.  ``NOT_KNOWN``:
    the server does not know the header, or something failed.  ``UNSURE``: it may have
    been written.
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
    """Test with an existing object, then with writers that race for a new one."""
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
    """Let writers race until it is certain whether exactly one wins each time."""
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
    """Let several writers write at the same time; return the outcome of each."""
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

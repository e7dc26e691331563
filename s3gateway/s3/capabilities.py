# SPDX-License-Identifier: Apache-2.0
"""What an S3 server can do, found out by trying it."""

from __future__ import annotations

import dataclasses
import enum
import secrets
from concurrent import futures
from typing import TYPE_CHECKING

from oslo_log import log as logging

from s3gateway.errors import ObjectExists
from s3gateway.errors import StoreDenied
from s3gateway.errors import StoreError
from s3gateway.errors import StoreUnavailable

if TYPE_CHECKING:
    from s3gateway.s3.store import S3Store

LOG = logging.getLogger(__name__)

# As an upload to no image would name its object: what a crash leaves, gc collects.
_PREFIX = "00000000-0000-0000-0000-000000000000."
_WRITERS = 8


class ConditionalPut(enum.Enum):
    """What ``If-None-Match: *`` is worth when an object is written.

    ``DECIDES``: of several writers exactly one writes; ``CHECKS``: an object that is
    there is not replaced, but several writers may write at once; ``IGNORED``: nobody
    is kept out.
    """

    DECIDES = "decides"
    CHECKS = "checks"
    IGNORED = "ignored"


class Severity(enum.IntEnum):
    """What a finding means: all is well, good to know, to be mended, no way."""

    OK = 0
    NOTE = 1
    WARNING = 2
    ERROR = 3


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that was found out about a store.

    :ivar capability: what was looked at, in a few words: ``conditional PUT``
    :ivar state: what was found, in a few words: ``decides``, ``ignored``
    :ivar consequence: what the gateway does about it and what to do, in sentences;
        empty if nothing.  It names options and codes, never a key, host or bucket
    """

    capability: str
    state: str
    severity: Severity
    consequence: str = ""


def examine(store: S3Store) -> list[Finding]:
    """Find out all about a store; takes seconds and leaves nothing behind.

    A store that cannot be used at all has one finding, ``access``, of severity
    ``ERROR``, which says why and what to do.  Never raises a ``StoreError``.
    """
    try:
        found = conditional_put(store)
    except StoreError as error:
        return [Finding("access", "failed", Severity.ERROR, str(error))]
    decides = found is ConditionalPut.DECIDES
    severity = Severity.OK if decides else Severity.NOTE
    return [Finding("conditional PUT", found.value, severity)]


def conditional_put(store: S3Store) -> ConditionalPut:
    """Find out what conditional writes are worth.

    :raises StoreUnavailable: if the server does not answer
    :raises StoreDenied: if the bucket cannot be written
    """
    key = _PREFIX + secrets.token_hex(8)
    store.put(key, [])
    found = ConditionalPut.IGNORED
    if not _writes(store, key):
        store.delete(key)
        with futures.ThreadPoolExecutor(_WRITERS) as pool:
            winners = sum(pool.map(lambda _: _writes(store, key), range(_WRITERS)))
        found = ConditionalPut.DECIDES if winners == 1 else ConditionalPut.CHECKS
    store.delete(key)
    LOG.info("Store %s: If-None-Match on a write: %s", store.name, found.value)
    return found


def _writes(store: S3Store, key: str) -> bool:
    try:
        store.send("PUT", key, [], {"If-None-Match": "*"})
    except ObjectExists:
        return False
    except (StoreDenied, StoreUnavailable):
        raise
    except StoreError:  # the server does not know the header: nobody is kept out
        return True
    return True

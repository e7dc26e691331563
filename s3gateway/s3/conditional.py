# SPDX-License-Identifier: Apache-2.0
"""What an S3 server can do that the gateway has to know while it works.

Found out by trying it, once for each store and process; ``capabilities`` finds out
more, for the operator.
"""

from __future__ import annotations

import datetime
import enum
import secrets
import threading
from collections.abc import Mapping
from concurrent import futures
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from typing import Any

from oslo_log import log as logging

from s3gateway.errors import ObjectExists
from s3gateway.errors import StoreDenied
from s3gateway.errors import StoreError
from s3gateway.errors import StoreUnavailable
from s3gateway.errors import WriteConflict

if TYPE_CHECKING:
    from s3gateway.s3.store import S3Store

LOG = logging.getLogger(__name__)

# As an upload to no image would name its object: what a crash leaves, gc collects.
PREFIX = "00000000-0000-0000-0000-000000000000."
_WRITERS = 8
#: A store that does not decide lets one writer win by chance now and then.
_RACES = 5


class ConditionalPut(enum.Enum):
    """What ``If-None-Match: *`` is worth when an object is written.

    ``DECIDES``: of several writers exactly one writes; ``CHECKS``: an object that is
    there is not replaced, but several writers may write at once; ``IGNORED``: nobody
    is kept out.
    """

    DECIDES = "decides"
    CHECKS = "checks"
    IGNORED = "ignored"


def conditional_put(store: S3Store) -> ConditionalPut:
    """Find out what conditional writes are worth.

    :raises StoreUnavailable: if the server does not answer
    :raises StoreDenied: if the bucket cannot be written
    """
    key = PREFIX + secrets.token_hex(8)
    store.put(key, [])
    found = ConditionalPut.IGNORED
    if not _writes(store, key):
        decides = all(_one_wins(store, key) for _ in range(_RACES))
        found = ConditionalPut.DECIDES if decides else ConditionalPut.CHECKS
    store.delete(key)
    LOG.info("Store %s: If-None-Match on a write: %s", store.name, found.value)
    return found


def _one_wins(store: S3Store, key: str) -> bool:
    store.delete(key)
    together = threading.Barrier(_WRITERS)

    def write(_: int) -> bool:
        together.wait()
        return _writes(store, key)

    with futures.ThreadPoolExecutor(_WRITERS) as pool:
        return sum(pool.map(write, range(_WRITERS))) == 1


def _writes(store: S3Store, key: str) -> bool:
    try:
        store.send("PUT", key, [], {"If-None-Match": "*"})
    except (ObjectExists, WriteConflict):
        return False
    except (StoreDenied, StoreUnavailable):
        raise
    except StoreError:  # the server does not know the header: nobody is kept out
        return True
    return True


def date(answer: Mapping[str, Any]) -> datetime.datetime:
    """Return what the store's clock shows, this host's if a proxy dropped it."""
    found = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    if not found:
        return datetime.datetime.now(datetime.timezone.utc)
    return parsedate_to_datetime(found)

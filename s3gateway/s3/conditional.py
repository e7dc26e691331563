# SPDX-License-Identifier: Apache-2.0
"""What an S3 server can do that the gateway has to know while it works.

Found out by trying it, once for each store and process; ``capabilities`` finds out
more, for the operator.
"""

from __future__ import annotations

import enum
import secrets
import threading
from concurrent import futures

from oslo_log import log as logging

from s3gateway.errors import ObjectExists
from s3gateway.errors import StoreDenied
from s3gateway.errors import StoreError
from s3gateway.errors import StoreUnavailable
from s3gateway.s3.bucket import Bucket

LOG = logging.getLogger(__name__)

# As an upload to no image would name its object: what a crash leaves, gc collects.
PREFIX = "00000000-0000-0000-0000-000000000000."
#: What makes a PUT a conditional one (RFC 9110, 13.1.2).
IF_ABSENT = {"If-None-Match": "*"}
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


def conditional_put(bucket: Bucket) -> ConditionalPut:
    """Find out what conditional writes are worth.

    :raises StoreUnavailable: if the server does not answer
    :raises StoreDenied: if the bucket cannot be written
    """
    key = PREFIX + secrets.token_hex(8)
    bucket.patiently(key, lambda: bucket.put(key, []))
    found = ConditionalPut.IGNORED
    if not _writes(bucket, key):
        decides = all(_one_wins(bucket, key) for _ in range(_RACES))
        found = ConditionalPut.DECIDES if decides else ConditionalPut.CHECKS
    bucket.delete(key)
    LOG.info("Store %s: If-None-Match on a write: %s", bucket.name, found.value)
    return found


def _one_wins(bucket: Bucket, key: str) -> bool:
    bucket.delete(key)
    together = threading.Barrier(_WRITERS)

    def write(_: int) -> bool:
        together.wait()
        return _writes(bucket, key)

    with futures.ThreadPoolExecutor(_WRITERS) as pool:
        return sum(pool.map(write, range(_WRITERS))) == 1


def _writes(bucket: Bucket, key: str) -> bool:
    try:
        bucket.put(key, [], condition=IF_ABSENT)
    except ObjectExists:
        return False
    except (StoreDenied, StoreUnavailable):
        raise
    except StoreError:  # the server does not know the header: nobody is kept out
        return True
    return True

# SPDX-License-Identifier: Apache-2.0
"""Bodies of downloads over stores in memory, without a handler."""

from __future__ import annotations

import time
from collections.abc import Callable

from s3gateway.download.body import Delivery
from s3gateway.download.failover import Copies
from s3gateway.download.failover import Copy
from s3gateway.download.failover import Version
from s3gateway.download.pieces import Pieces
from s3gateway.http.answer_body import AnswerBody
from s3gateway.http.ranges import Span
from s3gateway.streams.buffers import Budget
from s3gateway.streams.buffers import Slabs
from s3gateway.streams.digests import Verification
from tests.support.s3.memory import MIB
from tests.support.s3.memory import MemoryStore
from tests.support.s3.memory import store_settings

DATA = bytes(range(256)) * (3 * MIB // 256)


def deliver(
    *stores: MemoryStore,
    span: Span | None = None,
    retry_time: float = 0.2,
    widest: int = 1,
    budget: int = 1 << 30,
    opened: bool = True,
    pieces: Pieces | None = None,
    version: Version = Version(),  # noqa: B008  it is frozen
    verification: Verification | None = None,
    ended: Callable[[int], None] | None = None,
) -> AnswerBody:
    """Return a body as the handler answers with it.

    :param opened: whether its first bytes are there
    :param pieces: what other downloads use, too; else it has its own
    :param version: what Glance says of the data
    """
    size = len(stores[0].objects_by_key.get("key", DATA))
    span = span or Span(0, size)
    copies = Copies(
        "an-image",
        [Copy(store, store.name, "key", version) for store in stores],
        span,
        size=size,
        retry_time=retry_time,
    )
    pieces = pieces or Pieces(MIB, widest, Budget(budget, "download"), Slabs(widest))
    delivery = Delivery(
        "an-image",
        copies,
        span,
        pieces=pieces,
        environ={},
        verification=verification,
        ended=ended,
    )
    if opened:
        delivery.open()
    return AnswerBody(delivery, span.length)


def store(name: str = "fast", data: bytes = DATA) -> MemoryStore:
    found = MemoryStore(store_settings(name))
    found.objects_by_key["key"] = data
    return found


def all_closed(store: MemoryStore) -> bool:
    """Whether the threads that fetch pieces close their readers soon."""
    deadline = time.monotonic() + 60
    while store.open_readers and time.monotonic() < deadline:
        time.sleep(0.01)
    return not store.open_readers

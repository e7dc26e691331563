# SPDX-License-Identifier: Apache-2.0
"""Reads an image from its copies: if one store fails, the next goes on."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from oslo_log import log as logging

from s3gateway.errors import StoreDenied
from s3gateway.errors import StoreError
from s3gateway.errors import StoreUnavailable
from s3gateway.http.ranges import Span
from s3gateway.monitoring import metrics
from s3gateway.store import ObjectReader
from s3gateway.store import ObjectStore
from s3gateway.streams.retries import answered_within
from s3gateway.streams.retries import patiently

LOG = logging.getLogger(__name__)

_FIRST_READ = 64 * 1024
#: How long a store is waited for while another one has a copy, in seconds.
_ANSWER = 10.0
READ = 1024**2
#: The error codes by which a server says that it fails, and not that it is busy.
_FAILS = ("500", "InternalError")


@dataclasses.dataclass(frozen=True)
class Version:
    """Which data an image has; the data of an active image never changes.

    :param digest: as Glance has it; empty if it has none
    """

    image_id: str = ""
    digest: str = ""


@dataclasses.dataclass(frozen=True)
class Copy:
    """A copy of an image's data: an object in a bucket of a store."""

    store: ObjectStore
    bucket: str
    key: str
    version: Version = Version()

    def open(self, span: Span, *, size: int, etag: str = "") -> ObjectReader:
        """Open a span, as ``ObjectStore.read``."""
        return self.store.read(self.key, span, size=size, etag=etag, bucket=self.bucket)


class Copies:
    """Reads a span of an image from one copy, and from the next if it fails.

    If a store breaks off, it is asked once for the rest of the same version of the
    object.  If that fails, the next copy goes on at the same byte.  Only the store of
    the last copy is retried for longer.  Stores that are down come last.

    :ivar at: position of the next byte
    :ivar etag: the version of the object, empty until it is known
    :param span: the span to read
    :param size: the size of the whole image in bytes
    :param retry_time: how long the store of the last copy is retried, in seconds
    """

    def __init__(
        self,
        image_id: str,
        copies: Sequence[Copy],
        span: Span,
        *,
        size: int,
        retry_time: float,
    ) -> None:
        self.at = span.start
        self._image_id = image_id
        self._copies = sorted(copies, key=lambda copy: copy.store.is_down)
        self._stop = span.stop
        self._size = size
        self._retry_time = retry_time
        self._reader: ObjectReader | None = None
        self.etag = ""
        self._limit = _FIRST_READ
        self._broke_off = False
        self._broke_at = -1

    @property
    def copy(self) -> Copy:
        """The current copy."""
        return self._copies[0]

    @property
    def size(self) -> int:
        """The size of the whole image in bytes."""
        return self._size

    @property
    def is_open(self) -> bool:
        """Whether a connection is open."""
        return self._reader is not None

    @property
    def store(self) -> ObjectStore:
        """The store of the current copy."""
        return self.copy.store

    def read(self, limit: int = READ) -> bytes:
        """Return the next bytes, at least one and up to ``limit``.

        :raises StoreError: if no copy has them
        """
        limit = min(limit, self._limit)
        while True:
            is_last = len(self._copies) == 1
            try:
                with answered_within(math.inf if is_last else _ANSWER):
                    return patiently(
                        lambda: self._read_once(limit),
                        about=f"image {self._image_id} at byte {self.at}",
                        retry_time=self._retry_time if is_last else 0.0,
                        store=self.store.name,
                    )
            except StoreError as error:
                if not self._may_go_on():
                    self._give_up(error)

    def skip_to(self, at: int, etag: str) -> None:
        """Go on behind bytes that were read elsewhere.

        :param etag: the version that they are of, and that the next ones must be
        """
        self.etag = etag
        if at != self.at:
            self.close()
            self.at = at

    def close(self) -> None:
        """Close the connection; the next read opens another."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _read_once(self, limit: int) -> bytes:
        if self._reader is None:
            rest = Span(self.at, self._stop)
            self._reader = self.copy.open(rest, size=self._size, etag=self.etag)
            self.etag = self._reader.etag
            if self._broke_off:
                metrics.RESUMES.labels(self.store.name).inc()
                self._broke_off = False
        try:
            data = self._reader.read(limit)
        except StoreUnavailable:
            self.close()
            self._broke_off = True
            raise
        self.at += len(data)
        self._limit = READ
        return data

    def _may_go_on(self) -> bool:
        """Whether the store broke off after it had sent bytes, so may send the rest."""
        got_on = self.at != self._broke_at
        self._broke_at = self.at
        return len(self._copies) > 1 and self._broke_off and got_on

    def _give_up(self, error: StoreError) -> None:
        """Go on from the next copy.

        :raises StoreError: if there is none
        """
        self.close()
        if len(self._copies) == 1:
            raise _as_lasting(error)
        LOG.warning(
            "Image %s at byte %d: %s; going on from store %s",
            self._image_id,
            self.at,
            error,
            self._copies[1].store.name,
        )
        metrics.FAILOVERS.labels(self.store.name).inc()
        self._broke_off = False
        del self._copies[0]
        self.etag = ""


def _as_lasting(error: StoreError) -> StoreError:
    """Return the error for an object that no copy has, after all patience.

    What a store says of this object alone will be said again: it is a 500 as in stock
    Glance, and not a 503, on which clients try again.
    """
    of_the_object = isinstance(error, StoreDenied) or error.code in _FAILS
    if of_the_object and not error.store_wide:
        return StoreError(str(error))
    return error

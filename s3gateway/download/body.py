# SPDX-License-Identifier: Apache-2.0
"""An image's bytes on their way out: all that were promised, or an error."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from oslo_log import log as logging

from s3gateway.download.failover import Copies
from s3gateway.download.pace import Pace
from s3gateway.download.window import Window
from s3gateway.errors import StoreError
from s3gateway.http import servers
from s3gateway.http.ranges import Span
from s3gateway.monitoring import transfers
from s3gateway.monitoring.transfers import Transfer
from s3gateway.streams.buffers import Budget
from s3gateway.streams.buffers import Slabs
from s3gateway.streams.verification import Verification

LOG = logging.getLogger(__name__)

_MIB = 1024**2

#: A window that is not faster than one connection by this factor is given up.
_GAIN = 1.2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ahead:
    """How far is read ahead.

    :ivar piece: the size of a piece in bytes
    :ivar widest: most pieces of one download; 1 for none ahead
    :ivar budget: the memory for the pieces of all downloads
    :ivar slabs: that memory
    """

    piece: int
    widest: int
    budget: Budget
    slabs: Slabs


class Delivery:
    """The body of an answer: exactly ``span``, or an exception.

    A body that failed keeps failing on every further ``next()``: Glance's cache
    filter swallows a first exception and would end the answer as if it were whole.

    :ivar transfer: what is logged and counted of it
    :ivar verification: is given all bytes before they leave
    :ivar ended: called with the number of bytes when the last ones leave
    :param copies: reads the span
    """

    def __init__(
        self,
        image_id: str,
        copies: Copies,
        span: Span,
        *,
        ahead: Ahead,
    ) -> None:
        self._image_id = image_id
        self._copies = copies
        self._span = span
        self._ahead = ahead
        self.verification: Verification | None = None
        self.ended: Callable[[int], None] | None = None
        self._sent = 0
        self.transfer = Transfer(
            "download", image_id, copies.store.name, lambda: self._sent
        )
        self._first = b""
        self._window: Window | None = None
        self._pace = Pace()
        self._straight_rate = 0.0
        self._may_open = ahead.widest > 1
        self._failure: StoreError | None = None

    def open(self) -> None:
        """Wait for the first bytes, as long as an error can still be answered.

        :raises StoreError: if no copy has them
        """
        with self.transfer:
            self._first = self._read()

    def __iter__(self) -> Delivery:
        return self

    def __next__(self) -> bytes:
        if self._failure is not None:
            raise self._failure
        if self._sent == self._span.length:
            self.close()
            raise StopIteration
        try:
            with self.transfer:
                data = self._first or self._read()
                if self.verification is not None:
                    self.verification.feed(data)
        except StoreError as error:
            self._fail(error)
            raise
        self._first = b""
        self._sent += len(data)
        if self._sent == self._span.length:
            self.transfer.end()
            if self.ended is not None:
                self.ended(self._sent)
        return data

    def close(self) -> None:
        """Stop reading."""
        self.transfer.end(transfers.CLIENT)  # unless it has ended already
        self._copies.close()
        if self._window is not None:
            self._window.close()
            self._window = None
        if self.verification is not None:
            self.verification.close()

    def _fail(self, error: StoreError) -> None:
        at = self._span.start + self._sent
        LOG.error("Image %s broke off at byte %d: %s", self._image_id, at, error)
        self._failure = error
        servers.break_off()
        self.close()

    def _read(self) -> bytes:
        if self._window is not None and self._copies.at == self._window.at:
            if data := self._read_window(self._window):
                self._copies.skip_to(self._window.at)
                return data
            self._window.close()
            self._window = None
            self._pace = Pace()
        limit = self._window.at - self._copies.at if self._window else _MIB
        data = self._pace.read(lambda: self._copies.read(limit))
        self._consider_window()
        return data

    def _read_window(self, window: Window) -> bytes:
        """Return the next bytes of the window, none when it is of no more use."""
        try:
            data = self._pace.read(window.read)
        except StoreError as error:
            LOG.warning("Image %s at byte %d: %s", self._image_id, window.at, error)
            return b""
        trial = 4 * self._ahead.piece
        if self._pace.count >= trial and self._pace.rate < _GAIN * self._straight_rate:
            self._may_open = False
            window.fetch_no_more()
        return data

    def _consider_window(self) -> None:
        """Open the window if one connection is what holds the client up."""
        start = self._copies.at + self._ahead.piece
        if (
            self._may_open
            and self._copies.store.knows_ranges
            and self._window is None
            and self._pace.is_held_up
            and self._span.stop - start > self._ahead.piece
        ):
            self._straight_rate = self._pace.rate
            LOG.debug(
                "Image %s: %.1f MiB/s on one connection, more are opened",
                self._image_id,
                self._straight_rate / _MIB,
            )
            self._pace = Pace()
            self._window = Window(
                self._copies.open_piece,
                Span(start, self._span.stop),
                piece=self._ahead.piece,
                widest=self._ahead.widest,
                budget=self._ahead.budget,
                slabs=self._ahead.slabs,
            )

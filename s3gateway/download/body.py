# SPDX-License-Identifier: Apache-2.0
"""The body of a response to GET of image data: the bytes in order.

A download begins with one connection to S3.  If that is too slow for the client, a
window of several connections reads ahead.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from concurrent import futures

from oslo_log import log as logging

from s3gateway.config.stores import MIB
from s3gateway.download.failover import Copies
from s3gateway.download.pace import Pace
from s3gateway.download.window import Window
from s3gateway.errors import GatewayError
from s3gateway.errors import StoreError
from s3gateway.http.ranges import Span
from s3gateway.http.wsgi import Environ
from s3gateway.monitoring import transfers
from s3gateway.monitoring.transfers import Transfer
from s3gateway.streams.buffers import Budget
from s3gateway.streams.buffers import Slabs
from s3gateway.streams.digests import Verification
from s3gateway.streams.retries import while_nothing_moved

LOG = logging.getLogger(__name__)

#: A window that is not faster than one connection by this factor is given up.
_GAIN = 1.2

#: After these errors the window is given up.  Threads or memory may be short, and one
#: connection needs little of either.
_WINDOW_FAILED = (StoreError, OSError, MemoryError, RuntimeError)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ahead:
    """How far downloads read ahead.

    :ivar piece: the size of a piece in bytes
    :ivar widest: most pieces of one download; 1 to read none ahead
    :ivar budget: the memory for the pieces of all downloads
    :ivar slabs: that memory
    """

    piece: int
    widest: int
    budget: Budget
    slabs: Slabs


class Delivery:
    """Reads ``span`` of an image for a client.

    :param copies: reads the span
    :param environ: the client's request
    :param verification: gets all bytes before the client does
    :param ended: called with the number of bytes before the last ones are sent
    """

    def __init__(
        self,
        image_id: str,
        copies: Copies,
        span: Span,
        *,
        ahead: Ahead,
        environ: Environ,
        verification: Verification | None = None,
        ended: Callable[[int], None] | None = None,
    ) -> None:
        self._image_id = image_id
        self._copies = copies
        self._span = span
        self._ahead = ahead
        self._verification = verification
        self._ended = ended
        self._sent = 0
        self._transfer = Transfer(
            "download", image_id, copies.store.name, lambda: self._sent
        ).asked_by(environ)
        self._first = b""
        self._window: Window | None = None
        self._pace = Pace()
        self._straight_rate = 0.0
        self._may_open = ahead.widest > 1

    def open(self) -> None:
        """Wait for the first bytes, while the client can still get an error status.

        :raises StoreError: if no copy has them
        """
        try:
            with self._transfer, while_nothing_moved():
                self._first = self._read()
        except BaseException:
            self._close()
            raise

    def read(self) -> bytes:
        """Return the next bytes, at least one.

        :raises StoreError: if no copy has them
        """
        with self._transfer:
            data = self._first or self._read()
            if self._verification is not None:
                self._verification.feed(data)
        self._first = b""
        self._sent += len(data)
        if self._sent == self._span.length:
            self._tell()
        return data

    def end(self, failure: BaseException | None) -> None:
        """Stop reading."""
        if failure is not None:
            LOG.error(
                "Image %s broke off at byte %d: %s",
                self._image_id,
                self._span.start + self._sent,
                failure,
                exc_info=None if isinstance(failure, GatewayError) else failure,
            )
        self._close()

    def _close(self) -> None:
        with contextlib.ExitStack() as stack:
            if self._verification is not None:
                stack.callback(self._verification.close)
            stack.callback(self._close_window)
            stack.callback(self._copies.close)
            self._transfer.end(transfers.CLIENT)  # unless it has ended already

    def _tell(self) -> None:
        """Log, count and notify; an error here must not fail the download."""
        try:
            self._transfer.end()
            if self._ended is not None:
                self._ended(self._sent)
        except Exception:
            LOG.exception("Image %s was sent, but what follows failed", self._image_id)

    def _read(self) -> bytes:
        if self._window is not None and self._copies.at == self._window.at:
            if data := self._read_window(self._window):
                self._copies.skip_to(self._window.at)
                return data
            self._close_window()
            self._pace = Pace()
        limit = self._window.at - self._copies.at if self._window else MIB
        data = self._pace.read(lambda: self._copies.read(limit))
        self._consider_window()
        return data

    def _read_window(self, window: Window) -> bytes:
        """Return the next bytes of the window, none if it is used up or has failed."""
        try:
            data = self._pace.read(window.read)
        except _WINDOW_FAILED as error:
            self._warn(window.at, error)
            return b""
        trial = 4 * self._ahead.piece
        if self._pace.count >= trial and self._pace.rate < _GAIN * self._straight_rate:
            self._may_open = False
            window.fetch_no_more()
        return data

    def _close_window(self) -> None:
        window, self._window = self._window, None
        if window is not None:
            window.close()

    def _consider_window(self) -> None:
        """Open the window if one connection is too slow for the client."""
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
                self._straight_rate / MIB,
            )
            self._pace = Pace()
            self._open_window(Span(start, self._span.stop))

    def _open_window(self, span: Span) -> None:
        try:
            self._window = Window(
                self._copies.open_piece,
                span,
                pool=futures.ThreadPoolExecutor(
                    self._ahead.widest, "s3-piece", transfers.joining()
                ),
                piece=self._ahead.piece,
                widest=self._ahead.widest,
                budget=self._ahead.budget,
                slabs=self._ahead.slabs,
            )
        except _WINDOW_FAILED as error:
            self._warn(span.start, error)
            self._may_open = False

    def _warn(self, at: int, error: Exception) -> None:
        what = str(error) or type(error).__name__
        LOG.warning("Image %s at byte %d: %s", self._image_id, at, what)

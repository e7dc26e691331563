# SPDX-License-Identifier: Apache-2.0
"""The body of a response to GET of image data: the bytes in order.

A download begins with one connection to S3.  If that is too slow for the client, a
window of several connections reads ahead.  Downloads of the same object at the same
time read the same pieces of it, so that S3 is asked once.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from concurrent import futures

from oslo_log import log as logging

from s3gateway.config.stores import MIB
from s3gateway.download.failover import Copies
from s3gateway.download.pace import Pace
from s3gateway.download.pieces import Pieces
from s3gateway.download.pieces import Reading
from s3gateway.download.window import Window
from s3gateway.errors import GatewayError
from s3gateway.errors import ObjectNotFound
from s3gateway.errors import StoreError
from s3gateway.http import wsgi
from s3gateway.http.ranges import Span
from s3gateway.http.wsgi import Environ
from s3gateway.monitoring import transfers
from s3gateway.monitoring.transfers import Transfer
from s3gateway.streams.digests import Verification
from s3gateway.streams.retries import answered_within
from s3gateway.streams.retries import while_nothing_moved

LOG = logging.getLogger(__name__)

#: A window that is not faster than one connection by this factor is given up.
_GAIN = 1.2

#: After how many pieces that is decided, and a window that has ended is tried again.
_TRIAL = 4

#: How long a download waits for its first piece before it asks S3 by itself.
_FIRST_PIECE = 10.0  # seconds

#: After these errors the window is given up.  Threads or memory may be short, and one
#: connection needs little of either.
_WINDOW_FAILED = (StoreError, OSError, MemoryError, RuntimeError)


class Delivery:
    """Reads ``span`` of an image for a client.

    :param copies: reads the span
    :param pieces: what downloads have in memory
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
        pieces: Pieces,
        environ: Environ,
        verification: Verification | None = None,
        ended: Callable[[int], None] | None = None,
    ) -> None:
        self._image_id = image_id
        self._copies = copies
        self._span = span
        self._pieces = pieces
        self._verification = verification
        self._ended = ended
        self._sent = 0
        self._transfer = Transfer(
            "download", image_id, copies.store.name, lambda: self._sent
        ).asked_by(environ)
        self._rest = b""
        self._window: Window | None = None
        self._pace = Pace()
        self._straight_rate = 0.0
        self._may_open = pieces.widest > 1
        self._reading: Reading | None = None
        self._shares_from = 0
        self._limit = wsgi.pace_of(environ)

    def open(self) -> None:
        """Wait for the first bytes, while the client can still get an error status.

        :raises StoreError: if no copy has them
        """
        try:
            with self._transfer, while_nothing_moved():
                self._rest = self._read()
        except BaseException:
            self._close()
            raise

    def read(self) -> bytes:
        """Return the next bytes, at least one.

        :raises StoreError: if no copy has them
        """
        with self._transfer:
            data = self._rest or self._read()
            data, self._rest = data[: self._limit.step], data[self._limit.step :]
            if self._verification is not None:
                self._verify(self._verification, data)
        self._limit.wait_after(len(data))
        self._sent += len(data)
        if self._sent == self._span.length:
            self._tell()
        return data

    def _verify(self, verification: Verification, data: bytes) -> None:
        try:
            verification.feed(data)
        except StoreError:  # nobody may get the same bytes again
            self._pieces.hot_images.forget(self._image_id)
            raise

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
            stack.callback(self._leave)
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
        if self._window is not None and not self._reads_same_copy():
            self._give_window_up()  # the store that it reads has failed
        if self._window is None:
            self._consider_window()
        if self._window is not None and self._copies.at == self._window.at:
            if data := self._read_window(self._window):
                self._copies.skip_to(self._window.at, self._window.etag)
                return data
            self._give_window_up()
        limit = self._window.at - self._copies.at if self._window else MIB
        try:
            return self._pace.read(lambda: self._copies.read(limit))
        except ObjectNotFound:  # what is kept may be of a version that is gone
            self._pieces.hot_images.forget(self._image_id)
            raise

    def _read_window(self, window: Window) -> bytes:
        """Return the next bytes of the window, none if it is used up or has failed."""
        try:
            with answered_within(math.inf if self._sent else _FIRST_PIECE):
                data = self._pace.read(window.read)
        except _WINDOW_FAILED as error:
            self._warn(window.at, error)
            return b""
        trial = _TRIAL * self._pieces.size
        if self._pace.count >= trial and self._pace.rate < _GAIN * self._straight_rate:
            self._may_open = False
            window.fetch_no_more()
        return data

    def _close_window(self) -> None:
        window, self._window = self._window, None
        if window is not None:
            window.close()

    def _give_window_up(self) -> None:
        """Go on with one connection: the window is used up, or has failed."""
        self._close_window()
        self._pace = Pace()
        self._shares_from = self._copies.at + _TRIAL * self._pieces.size

    def _consider_window(self) -> None:
        """Open the window if others read the object too, or the store is slow."""
        reading, store = self._joined(), self._copies.store
        if store.knows_ranges is False or not reading.agrees_on(self._copies.etag):
            return
        if reading.is_shared:
            self._share(reading)
        elif self._may_open and self._pace.is_held_up:
            self._read_ahead(reading)

    def _joined(self) -> Reading:
        """Return this download's part in reading the object."""
        copies = self._copies
        if self._reading is None or not self._reads_same_copy():
            self._leave()
            whole = self._span.length == copies.size
            self._reading = self._pieces.join(copies.copy, copies.size, whole=whole)
        return self._reading

    def _reads_same_copy(self) -> bool:
        """Whether the pieces are of the copy that is being read."""
        reading = self._reading
        return reading is not None and reading.copy == self._copies.copy

    def _leave(self) -> None:
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.leave()

    def _share(self, reading: Reading) -> None:
        """Open the window for pieces that others read, as soon as one begins."""
        start = self._copies.at
        if start < self._shares_from:
            return
        if self._copies.is_open:
            start = self._next_piece(start)
        if start < self._span.stop:
            self._open_window(reading, Span(start, self._span.stop))

    def _read_ahead(self, reading: Reading) -> None:
        """Open the window behind what the connection sends in the meantime."""
        start = self._next_piece(self._copies.at + self._pieces.size)
        if self._span.stop - start > self._pieces.size:
            self._straight_rate = self._pace.rate
            LOG.debug(
                "Image %s: %.1f MiB/s on one connection, more are opened",
                self._image_id,
                self._straight_rate / MIB,
            )
            self._open_window(reading, Span(start, self._span.stop))

    def _next_piece(self, at: int) -> int:
        """Return where the first piece begins that begins at a position or later."""
        return math.ceil(at / self._pieces.size) * self._pieces.size

    def _open_window(self, reading: Reading, span: Span) -> None:
        self._pace = Pace()
        pool = futures.ThreadPoolExecutor(
            self._pieces.widest, "s3-piece", transfers.joining()
        )
        try:
            self._window = Window(reading, span, pool=pool)
        except _WINDOW_FAILED as error:
            self._warn(span.start, error)
            self._may_open = False

    def _warn(self, at: int, error: Exception) -> None:
        what = str(error) or type(error).__name__
        LOG.warning("Image %s at byte %d: %s", self._image_id, at, what)

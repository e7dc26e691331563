# SPDX-License-Identifier: Apache-2.0
"""A piece that is read from its file: it takes no memory of the download budget."""

from __future__ import annotations

from collections.abc import Callable

from s3gateway.download.hot.files import BLOCK
from s3gateway.download.hot.files import Faulty
from s3gateway.download.hot.files import PieceFile
from s3gateway.download.piece import Piece
from s3gateway.errors import StoreUnavailable
from s3gateway.http.ranges import Span
from s3gateway.store import ObjectReader
from s3gateway.streams.buffers import Slabs


class KeptPiece(Piece):
    """A piece whose bytes are in a file.

    :param discard: removes the file if it is damaged
    """

    def __init__(
        self, span: Span, file: PieceFile, discard: Callable[[Span, Exception], None]
    ) -> None:
        super().__init__(span, _never, Slabs(0), "")
        self._file = file
        self._discard = discard

    @property
    def memory(self) -> int:
        return 0

    @property
    def is_complete(self) -> bool:
        return True

    @property
    def is_for_others(self) -> bool:
        """It need not wait for other downloads: they find the file."""
        return False

    def read(self, at: int) -> bytes:
        if not self.holds(at):  # never hand out other bytes
            raise RuntimeError(f"The byte {at} is not in a piece of {self.span}")
        number, begin = divmod(at - self.span.start, BLOCK)
        try:
            return self._file.block(number)[begin:]
        except (Faulty, OSError, ValueError) as error:
            self._failure = StoreUnavailable("A piece in hot_images_dir is damaged")
            self._discard(self.span, error)
            raise self._failure from None

    def drop(self) -> None:
        self._file.close()


def _never(span: Span) -> ObjectReader:
    raise RuntimeError(f"The piece {span} is in a file")

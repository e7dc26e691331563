# SPDX-License-Identifier: Apache-2.0
"""The body of an HTTP response: it is complete, or it keeps raising its error.

If a body ends cleanly, the client takes it for complete.  Glance's cache filter reads
on after an iterator has raised, and a plain generator would then end cleanly.  A body
of this module raises the same error again.
"""

from __future__ import annotations

import contextlib
import threading
from typing import Protocol

from s3gateway.errors import GatewayError
from s3gateway.http import servers

_BROKE_OFF = "The answer broke off before its end."


class Source(Protocol):
    """Where the bytes of an answer come from."""

    def read(self) -> bytes:
        """Return the next bytes.

        Empty bytes are the end, if only the source knows the length.
        """

    def end(self, failure: BaseException | None) -> None:
        """Release everything; called once, after the last read.

        :param failure: the error that ended the body; ``None`` if it was read to the
            end or the client went away
        """


class AnswerBody:
    """Yields exactly the announced number of bytes, or raises.

    :param length: how many bytes there are; ``None`` if only the source knows
    """

    def __init__(self, source: Source, length: int | None) -> None:
        self._source = source
        self._left = length
        self._failure: Exception | None = None
        self._ended = False

    def __iter__(self) -> AnswerBody:
        return self

    def __next__(self) -> bytes:
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        try:
            if data := self._read():
                return data
        except StopIteration as error:  # it would look like the end
            failure = GatewayError(_BROKE_OFF)
            self._break_off(failure)
            raise failure from error
        except BaseException as error:
            self._break_off(error)
            raise
        self._end(None)
        raise StopIteration

    def close(self) -> None:
        """Read no more; servers call this at the end and when the client is gone."""
        if not self._ended and self._failure is None and self._left != 0:
            self._failure = GatewayError(_BROKE_OFF)
        self._end(None)

    def __del__(self) -> None:
        """Read no more if nobody has closed it: Glance's cache filter forgets to.

        This may run anywhere, also where the thread holds a lock that the end needs.
        """
        if not self._ended:
            with contextlib.suppress(RuntimeError):  # Python itself ends
                threading.Thread(target=self._source.end, args=(None,)).start()

    def _read(self) -> bytes:
        """Return the next bytes, none at the end."""
        if self._ended or self._left == 0:
            return b""
        data = self._source.read()
        if self._left is None:
            return data
        if not 0 < len(data) <= self._left:
            raise GatewayError(_BROKE_OFF)
        self._left -= len(data)
        return data

    def _break_off(self, error: BaseException) -> None:
        # SystemExit, or the exit of a green thread, must reach its first reader only.
        self._failure = (
            error if isinstance(error, Exception) else GatewayError(_BROKE_OFF)
        )
        try:
            servers.break_off()
        finally:
            self._end(error)

    def _end(self, failure: BaseException | None) -> None:
        if not self._ended:
            self._ended = True
            self._source.end(failure)

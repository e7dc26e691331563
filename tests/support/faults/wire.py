# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 messages on sockets, just well enough to pass them on untouched."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import select
import socket
import struct
from collections.abc import Iterator

BLOCK = 256 * 1024


class Broken(OSError):
    """A connection ended in the middle of a message."""


@dataclasses.dataclass(frozen=True)
class Head:
    """A message's start line and headers, as they came."""

    raw: bytes

    @property
    def start(self) -> list[str]:
        """The three words of the start line."""
        return self.raw.partition(b"\r\n")[0].decode("latin-1").split(" ", 2)

    @functools.cached_property
    def headers(self) -> dict[str, str]:
        """The headers; their names in lower case."""
        lines = self.raw.decode("latin-1").split("\r\n")[1:]
        pairs = [line.partition(":") for line in lines if line]
        return {name.lower(): value.strip() for name, _, value in pairs}

    @property
    def closes(self) -> bool:
        """Whether the connection ends with the message."""
        return self.headers.get("connection", "").lower() == "close"

    @property
    def is_chunked(self) -> bool:
        return "chunked" in self.headers.get("transfer-encoding", "").lower()

    @property
    def length(self) -> int | None:
        """The length of the body if it is told, in bytes."""
        found = self.headers.get("content-length")
        return None if found is None or self.is_chunked else int(found)


class Wire:
    """A connection: what was received too much is kept for the next read."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._ahead = b""

    def head(self) -> Head | None:
        """Return the next message's head, ``None`` if there is no next message."""
        raw = self._until(b"\r\n\r\n")
        return Head(raw) if raw else None

    def body(self, head: Head, *, until_close: bool) -> Iterator[tuple[bool, bytes]]:
        """Yield a body as it comes, and whether it is data or the chunks' framing.

        :param until_close: whether a body of untold length lasts until the close
        :raises Broken: if the connection ends before the body does
        """
        if head.is_chunked:
            yield from self._chunks()
        elif head.length is not None:
            yield from self._exactly(head.length)
        elif until_close:
            while data := self.read(BLOCK):
                yield True, data

    def read(self, limit: int) -> bytes:
        """Return the next bytes, none at the end."""
        if self._ahead:
            data, self._ahead = self._ahead[:limit], self._ahead[limit:]
            return data
        return self.sock.recv(min(limit, BLOCK))

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def has_ended(self) -> bool:
        """Whether the other side has closed an idle connection."""
        readable, _, _ = select.select([self.sock], [], [], 0)
        return bool(readable) and not self._ahead

    def wake(self) -> None:
        """Make reads from it and writes to it fail."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        """End the connection as a killed machine does."""
        with contextlib.suppress(OSError):
            linger = struct.pack("ii", 1, 0)
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close()

    def close(self) -> None:
        self.sock.close()

    def _exactly(self, count: int) -> Iterator[tuple[bool, bytes]]:
        while count:
            data = self.read(count)
            if not data:
                raise Broken
            count -= len(data)
            yield True, data

    def _chunks(self) -> Iterator[tuple[bool, bytes]]:
        size = -1
        while size:
            line = self._until(b"\r\n")
            size = int(line.partition(b";")[0] or b"0", 16)
            yield False, line
            yield from self._exactly(size)
            if size:
                yield False, self._until(b"\r\n")
        while (line := self._until(b"\r\n")) != b"\r\n":  # trailers
            yield False, line
        yield False, line

    def _until(self, end: bytes) -> bytes:
        found = self._ahead
        while end not in found:
            data = self.sock.recv(65536)
            if not data:
                if found:
                    raise Broken
                return b""
            found += data
        head, _, self._ahead = found.partition(end)
        return head + end

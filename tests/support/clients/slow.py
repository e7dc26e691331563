# SPDX-License-Identifier: Apache-2.0
"""Clients that download a few KiB a second, as many as one likes, in one thread."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import struct
import threading
import time
from collections.abc import Iterator
from collections.abc import Sequence
from urllib import parse

_STEP = 2048  # bytes
_ROUND = 0.5  # seconds: each client reads 4 KiB a second
_WINDOW = 16 * 1024  # bytes that the client's kernel takes in advance, twice as much
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What a client asks for.

    :ivar data: of the whole image
    :ivar start: the first byte, and a whole image is asked for if it is negative
    """

    image_id: str
    data: bytes = dataclasses.field(repr=False)
    start: int = -1

    def request(self, token: str) -> bytes:
        """Return the request as it is sent."""
        lines = [
            f"GET /v2/images/{self.image_id}/file HTTP/1.1",
            "Host: glance",
            f"X-Auth-Token: {token}",
        ]
        if self.start >= 0:
            lines.append(f"Range: bytes={self.start}-")
        return "\r\n".join([*lines, "", ""]).encode()

    @property
    def bytes(self) -> bytes:
        """The bytes that must come."""
        return self.data[max(self.start, 0) :]


class Reader:
    """One client.

    :ivar count: bytes of the image that it has read
    :ivar wrong: what was not as it should be, empty if nothing
    """

    def __init__(self, url: str, token: str, wanted: Wanted) -> None:
        self.count = 0
        self.wrong = ""
        self._head = b""
        self._in_head = True
        self._bytes = memoryview(wanted.bytes)
        parts = parse.urlsplit(url)
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _WINDOW)
        self._socket.connect((parts.hostname, parts.port))
        self._socket.sendall(wanted.request(token))
        self._socket.setblocking(False)

    def read(self) -> None:
        """Read a little, if there is something."""
        try:
            data = self._socket.recv(_STEP)
        except BlockingIOError:
            return
        except OSError as error:
            self.wrong = self.wrong or str(error)
            return
        if not data and self.count < len(self._bytes):
            self.wrong = self.wrong or f"it ended after {self.count} bytes"
        self._look_at(data)

    def _look_at(self, data: bytes) -> None:
        if self._in_head:
            self._head, end, data = (self._head + data).partition(b"\r\n\r\n")
            self._in_head = not end
            if self._in_head:
                return
            if self._head[:11] not in (b"HTTP/1.1 20", b"HTTP/1.0 20"):
                self.wrong = self.wrong or self._head.decode()
        stop = self.count + len(data)
        if self._bytes[self.count : stop] != data:
            self.wrong = self.wrong or f"wrong bytes before {stop}"
        self.count = stop

    def vanish(self) -> None:
        """Go away in the middle, as a client does that was killed."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._socket.close()


class Readers:
    """Many clients, which read in turn while the context lasts; then they vanish."""

    def __init__(self, url: str, token: str, wanted: Sequence[Wanted]) -> None:
        self._readers = [Reader(url, token, each) for each in wanted]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Readers:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended.set()
        self._thread.join()
        for each in self._readers:
            each.vanish()

    @property
    def wrong(self) -> list[str]:
        """What went wrong with any of them."""
        return [each.wrong for each in self._readers if each.wrong]

    @property
    def count(self) -> int:
        """The bytes that all of them have read."""
        return sum(each.count for each in self._readers)

    def wait_for_first_bytes(self, seconds: float) -> None:
        """Wait until each of them has some."""
        deadline = time.monotonic() + seconds
        while not all(each.count for each in self._readers):
            without = sum(not each.count for each in self._readers)
            assert not self.wrong, self.wrong[:3]
            assert time.monotonic() < deadline, f"{without} have no byte"
            time.sleep(0.1)

    def _read(self) -> None:
        while not self._ended.wait(_ROUND):
            for each in self._readers:
                each.read()


@contextlib.contextmanager
def reading(url: str, token: str, wanted: Sequence[Wanted]) -> Iterator[Readers]:
    """Have clients that read slowly; they vanish at the end."""
    with Readers(url, token, wanted) as found:
        yield found

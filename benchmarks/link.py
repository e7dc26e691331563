# SPDX-License-Identifier: Apache-2.0
"""A proxy that makes loopback behave like a distant or a slow S3.

It is a separate process, ``python -m benchmarks.link --help``, so that its CPU time is
not counted for another one.  Each direction of a connection has a thread that
receives and one that sends when the time has come: ``delay`` after the bytes came,
and no faster than ``rate``.  A new connection waits for a round trip, as TCP does.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import mmap
import pathlib
import queue
import socket
import struct
import threading
import time

_STEP = 256 * 1024
_QUEUED = 8  # steps: what may be on the line
_COUNT = struct.Struct("=Q")


class Rate:
    """Gives each piece of a stream the time when it has passed.

    :param speed: in bytes a second, 0 for no limit
    """

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._free = 0.0
        self._lock = threading.Lock()

    def due(self, size: int, arrived: float) -> float:
        """Return when a piece that arrived then has passed, one after the other."""
        if not self._speed:
            return arrived
        with self._lock:
            self._free = max(self._free, arrived) + size / self._speed
            return self._free


@dataclasses.dataclass(frozen=True)
class Line:
    """What a connection is like.

    :ivar delay: seconds in each direction
    :ivar rate: bytes a second of one connection and direction, 0 for no limit
    :ivar shared: what all connections share in each direction, 0 for no limit
    :ivar came: counts what comes from the S3 server
    """

    delay: float
    rate: float
    shared: tuple[Rate, Rate]
    came: Count


class Count:
    """Bytes that have passed, in a file that other processes can read.

    :param path: a file of 8 bytes; empty for none
    """

    def __init__(self, path: str) -> None:
        self._total = 0
        self._lock = threading.Lock()
        self._memory: mmap.mmap | None = None
        if path:
            pathlib.Path(path).write_bytes(bytes(_COUNT.size))
            with pathlib.Path(path).open("r+b") as file:
                self._memory = mmap.mmap(file.fileno(), _COUNT.size)

    def add(self, count: int) -> None:
        with self._lock:
            self._total += count
            if self._memory is not None:
                _COUNT.pack_into(self._memory, 0, self._total)


def counted(path: pathlib.Path) -> int:
    """Return what a ``Count`` has counted so far."""
    total: int = _COUNT.unpack(path.read_bytes())[0]
    return total


def serve(listener: socket.socket, target: tuple[str, int], line: Line) -> None:
    """Pass on connections for ever."""
    while True:
        client, _ = listener.accept()
        server = socket.create_connection(target)
        handshake = time.monotonic() + 2 * line.delay
        for source, sink, shared, count in (
            (client, server, line.shared[0], Count("")),
            (server, client, line.shared[1], line.came),
        ):
            sink.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _pass_on(source, sink, line, shared, count, handshake)


def _pass_on(
    source: socket.socket,
    sink: socket.socket,
    line: Line,
    shared: Rate,
    count: Count,
    handshake: float,
) -> None:
    under_way: queue.Queue[tuple[float, bytes]] = queue.Queue(_QUEUED)
    own = Rate(line.rate)

    def receive() -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_STEP):
                count.add(len(data))
                arrived = max(time.monotonic(), handshake)
                due = max(own.due(len(data), arrived), shared.due(len(data), arrived))
                under_way.put((due + line.delay, data))
        under_way.put((0.0, b""))

    def send() -> None:
        with contextlib.suppress(OSError):
            while (found := under_way.get())[1]:
                due, data = found
                time.sleep(max(0.0, due - time.monotonic()))
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            source.shutdown(socket.SHUT_RD)
        while found[1]:  # the thread that fills the queue must not wait for ever
            found = under_way.get()

    for work in (receive, send):
        threading.Thread(target=work, daemon=True).start()


def main() -> None:
    """Serve until the process is stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--target", required=True, help="HOST:PORT of the S3 server")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds, one way")
    parser.add_argument("--rate", type=float, default=0.0, help="bytes/s, each")
    parser.add_argument("--shared", type=float, default=0.0, help="bytes/s, all")
    parser.add_argument("--count", default="", help="file for the bytes from S3")
    found = parser.parse_args()
    host, _, port = found.target.partition(":")
    shared = Rate(found.shared), Rate(found.shared)
    line = Line(found.delay, found.rate, shared, Count(found.count))
    listener = socket.create_server(("127.0.0.1", found.port), backlog=256)
    serve(listener, (host, int(port)), line)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""The file of a piece: its bytes in blocks, then a trailer with their checksums.

    block, block, ..., trailer: a digest, then JSON

The trailer says which object and which piece it is, and the object's ETag.  A file that
was cut short, or is another one, has no such trailer.  Each block is checked when it is
read, so that the bytes that were checked are the bytes that are handed out.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import io
import json
import math
import os
import pathlib
import stat
import threading
import time
import zlib
from typing import Any

from s3gateway.monitoring import metrics
from s3gateway.streams.buffers import SLAB

#: A checksum is for so many bytes; a piece is written and read in blocks of this size.
BLOCK = SLAB
#: How the name of a file ends that is not complete.
DRAFT = ".draft"

_DIGEST = 32  # bytes
_LONGEST_TRAILER = 1024**2  # bytes

#: What opening a file ends with if a link, a directory or a socket has its name.
_NO_FILE = (errno.ELOOP, errno.EISDIR, errno.ENXIO, errno.ENODEV)


class Faulty(Exception):
    """A file does not hold the piece that it should, or is not one of the gateway's."""


class Busy(Exception):
    """Another process, or thread, is writing the piece."""


class PieceFile:
    """The file of a piece, open for reading; close it on every path.

    :ivar etag: the version of the object that the piece is of
    :param length: of the piece in bytes
    :raises Faulty: if the file holds another piece, or not all of it
    :raises OSError: if it cannot be read
    """

    def __init__(self, path: pathlib.Path, length: int) -> None:
        self._length = length
        self._lock = threading.Lock()
        self._last = (-1, b"")
        self._file = opened(path, os.O_RDONLY)
        try:
            self.written = os.fstat(self._file.fileno()).st_mtime
            self.etag, self._sums = self._trailer(path.name, length)
        except BaseException:
            self._file.close()
            raise

    def block(self, number: int) -> bytes:
        """Return a block.  Readers who are at the same block share its memory.

        :raises Faulty: if it is damaged
        :raises OSError: if it cannot be read
        """
        with self._lock:
            if self._last[0] != number:
                self._last = (number, self._checked(number))
            return self._last[1]

    def touch(self) -> None:
        """Say that the file was used now; when it was written stays."""
        with contextlib.suppress(OSError):
            file = self._file.fileno()
            os.utime(file, ns=(time.time_ns(), os.fstat(file).st_mtime_ns))

    def close(self) -> None:
        with self._lock:
            self._last = (-1, b"")
            self._file.close()

    def _checked(self, number: int) -> bytes:
        size = min(BLOCK, self._length - number * BLOCK)
        data = os.pread(self._file.fileno(), size, number * BLOCK)
        if len(data) != size or zlib.crc32(data) != self._sums[number]:
            raise Faulty(f"block {number} is damaged")
        metrics.HOT_READ.inc(size)
        return data

    def _trailer(self, name: str, length: int) -> tuple[str, list[int]]:
        """Return the ETag and the checksums."""
        found = os.pread(self._file.fileno(), _LONGEST_TRAILER, length)
        if found[:_DIGEST] != _digest(found[_DIGEST:]):
            raise Faulty("its end is missing or damaged")
        try:
            trailer: dict[str, Any] = json.loads(found[_DIGEST:])
            sums = [int(each) for each in trailer["sums"]]
            etag = str(trailer["etag"])
            same = trailer["name"] == name and len(sums) == math.ceil(length / BLOCK)
        except (ValueError, TypeError, LookupError, RecursionError):
            same = False
        if not same:
            raise Faulty("it is another piece, or of another release")
        return etag, sums


class Draft:
    """The file of a piece that is being written; a lock says by which process.

    The lock ends with its process, and the next writer takes the file over.

    :param path: where the complete file will be
    :param length: of the piece in bytes
    :raises Busy: if another process, or thread, is writing the piece
    :raises Faulty: if something else has the name of the draft
    :raises OSError: if the file cannot be written
    """

    def __init__(self, path: pathlib.Path, length: int) -> None:
        self._path = path
        self._draft = draft_of(path)
        self._left = length
        self._sums: list[int] = []
        self._file = opened(self._draft, os.O_RDWR | os.O_CREAT)
        try:
            self._lock()
            self._file.truncate(0)
        except BaseException:
            self._file.close()
            raise

    @property
    def is_complete(self) -> bool:
        """Whether all bytes of the piece were written."""
        return not self._left

    def write(self, block: memoryview) -> None:
        """Write the next block.

        :raises OSError: if it cannot be written
        """
        self._write(block)
        self._sums.append(zlib.crc32(block))
        self._left -= len(block)

    def publish(self, etag: str) -> None:
        """Let all processes find the piece.

        :raises OSError: if the file cannot be written
        """
        trailer = {"name": self._path.name, "etag": etag, "sums": self._sums}
        text = json.dumps(trailer).encode()
        self._write(memoryview(_digest(text) + text))
        if not self._is_in_place():
            raise FileNotFoundError("the draft was removed")
        self._draft.rename(self._path)
        self._file.close()

    def drop(self) -> None:
        """Remove it, and let another process read the piece."""
        if not self._file.closed:
            with contextlib.suppress(OSError):
                if self._is_in_place():
                    self._draft.unlink()
            self._file.close()

    def _lock(self) -> None:
        """Lock the file, which may have been published or removed by now."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy from None
        if not self._is_in_place():
            raise Busy

    def _write(self, data: memoryview) -> None:
        while data:
            data = data[self._file.write(data) :]

    def _is_in_place(self) -> bool:
        """Whether the locked file still has the name of a draft."""
        try:
            there = self._draft.lstat()
        except FileNotFoundError:
            return False
        mine = os.fstat(self._file.fileno())
        return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)


def draft_of(path: pathlib.Path) -> pathlib.Path:
    """Return where a piece is while it is being written."""
    return path.with_name(path.name + DRAFT)


def opened(path: pathlib.Path, flags: int) -> io.FileIO:
    """Open a file of the directory, and nothing else that may have its name.

    A pipe is not waited for, and no link is followed, nor a file changed that has
    another name too.  A file of another user is not believed: the directory may have
    been open to others for a while.

    :raises Faulty: if it is not a file of this user's alone
    :raises OSError: if it cannot be opened
    """
    wanted = flags | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    mode = "rb" if flags == os.O_RDONLY else "r+b"
    try:
        file = io.FileIO(path, mode, opener=lambda p, _: os.open(p, wanted, 0o600))
    except OSError as error:
        if error.errno in _NO_FILE:
            raise Faulty("it is not a file") from None
        raise
    found = os.fstat(file.fileno())
    if stat.S_ISREG(found.st_mode) and found.st_nlink < 2 and _is_ours(found):
        return file
    file.close()
    raise Faulty("it is not a file of the gateway's user alone")


def _digest(text: bytes) -> bytes:
    return hashlib.blake2b(text, digest_size=_DIGEST).digest()


def _is_ours(found: os.stat_result) -> bool:
    return found.st_uid == os.geteuid()

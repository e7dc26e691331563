# SPDX-License-Identifier: Apache-2.0
"""Objects that the contract writes into stores and reads back."""

from __future__ import annotations

import random

from s3gateway.http.ranges import Span
from s3gateway.store import ObjectReader
from s3gateway.store import ObjectStore

DATA = bytes(range(256)) * 1000

MIB = 1024**2
PART = 5 * MIB
#: The parts of a large object.
PARTS = [random.Random(number).randbytes(PART) for number in (1, 2)]  # noqa: S311
PARTS += [PARTS[0][:12_345]]


def views(*data: bytes) -> list[memoryview]:
    return [memoryview(each) for each in data]


def slabs(data: bytes) -> list[memoryview]:
    """Return a part as the gateway has it: in several buffers."""
    whole = memoryview(data)
    return [whole[start : start + MIB] for start in range(0, len(data), MIB)]


def content(store: ObjectStore, key: str, size: int) -> bytes:
    return read(store, key, Span(0, size), size)


def read(store: ObjectStore, key: str, span: Span, size: int, etag: str = "") -> bytes:
    """Return the bytes of a span, read in pieces of odd sizes."""
    reader = store.read(key, span, size=size, etag=etag)
    found = b""
    try:
        while len(found) < span.length:
            found += reader.read(65_537)
    finally:
        reader.close()
    return found


def fill(reader: ObjectReader, size: int) -> bytes:
    buffer = bytearray(size)
    reader.fill(memoryview(buffer))
    return bytes(buffer)

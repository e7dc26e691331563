# SPDX-License-Identifier: Apache-2.0
"""Bodies that are cut into parts and sent into a store in memory."""

from __future__ import annotations

import concurrent.futures.thread
import dataclasses
import hashlib
import io
import mmap
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from s3gateway.errors import ClientGone
from s3gateway.errors import SizeMismatch
from s3gateway.errors import StoreUnavailable
from s3gateway.errors import TooLarge
from s3gateway.http.request_body import Body
from s3gateway.store import NOTHING
from s3gateway.store import About
from s3gateway.streams.buffers import SLAB
from s3gateway.streams.buffers import Budget
from s3gateway.streams.buffers import Slabs
from s3gateway.upload import parts
from s3gateway.upload import stream
from s3gateway.upload.stream import Memory
from tests.support.s3.memory import MIB
from tests.support.s3.memory import MemoryStore
from tests.support.s3.memory import MemoryWriter
from tests.support.s3.memory import store_settings
from tests.support.s3.memory import unavailable

PART = 5 * MIB


def content(size: int) -> bytes:
    """Return bytes of which no two parts are alike."""
    block = hashlib.sha512(str(size).encode()).digest()
    return (block * (size // len(block) + 1))[:size]


class Trickle(io.RawIOBase):
    """A socket: it hands out less than it is asked for."""

    def __init__(self, data: bytes, most: int) -> None:
        self._data = io.BytesIO(data)
        self._most = most

    def read(self, size: int = -1) -> bytes:
        return self._data.read(min(size, self._most))


def environ(data: bytes, *, length: int | None, most: int = 1 << 30) -> dict[str, Any]:
    """Return a request with a body, chunked if it has no length."""
    found: dict[str, Any] = {"wsgi.input": Trickle(data, most)}
    if length is None:
        return {**found, "HTTP_TRANSFER_ENCODING": "chunked"}
    return {**found, "CONTENT_LENGTH": str(length)}


class Upload:
    """One body on its way into a memory store."""

    def __init__(self, store: MemoryStore, body: Body, buffer: int = 4 * PART) -> None:
        self.store = store
        self.body = body
        self.key = "key"
        self.memory = Memory(Slabs(keep=64), Budget(1 << 40, "upload"), buffer)
        self.digests: dict[str, str] = {}
        self.began: list[str] = []

    def run(self) -> None:
        with stream.into(
            self.store,
            self.key,
            self.memory,
            length=self.body.expected,
            algorithms=["md5", "sha512"],
            began=self.began.append,
        ) as outgoing:
            passed = sum(len(data) for data in outgoing.send(self.body))
            assert passed == self.body.received
            outgoing.commit()
            self.digests = outgoing.hexdigests()


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(
    ("size", "requests"),
    [
        (1, ["put"]),
        (SLAB, ["put"]),
        (PART - 1, ["put"]),
        (PART, ["put"]),
        (PART + 1, ["begin", "part", "part", "commit"]),
        (2 * PART, ["begin", "part", "part", "commit"]),
        (3 * PART + 17, ["begin", "part", "part", "part", "part", "commit"]),
    ],
)
def test_small_is_one_put_and_large_is_multipart(
    chunked: bool, size: int, requests: list[str]
) -> None:
    data = content(size)
    store = MemoryStore()
    length = None if chunked else size
    upload = Upload(
        store, Body(environ(data, length=length, most=100_000), None, 1 << 40)
    )
    upload.run()
    assert store.objects_by_key == {"key": data}
    assert sorted(store.requests) == sorted(requests)
    assert upload.digests == {
        "md5": hashlib.md5(data, usedforsecurity=False).hexdigest(),
        "sha512": hashlib.sha512(data).hexdigest(),
    }
    assert upload.body.received == size


def test_a_large_object_is_multipart_even_in_one_part() -> None:
    data = content(MIB)
    store = MemoryStore(store_settings(large_object_size=MIB))
    Upload(store, Body(environ(data, length=MIB), None, 1 << 40)).run()
    assert store.requests == ["begin", "part", "commit"]
    assert store.objects_by_key == {"key": data}


@settings(max_examples=40, deadline=None)
@given(
    size=st.integers(0, 4 * SLAB + 3),
    most=st.integers(1_000, 2 * SLAB),
    base=st.integers(1, 3),
    chunked=st.booleans(),
)
def test_parts_are_the_body_cut_without_gaps(
    size: int, most: int, base: int, chunked: bool
) -> None:
    data = content(size)
    body = Body(
        environ(data, length=None if chunked else size, most=most), None, 1 << 40
    )
    store = Recording(store_settings(part_size=base * SLAB, large_object_size=0))
    upload = Upload(store, body)
    upload.run()
    parts = store.writer.parts if store.writer else {}
    found = [parts[number] for number in sorted(parts)]
    assert b"".join(found) == data
    assert [len(part) for part in found[:-1]] == [base * SLAB] * (len(found) - 1)
    assert sorted(parts) == list(range(1, len(parts) + 1))
    assert upload.digests["sha512"] == hashlib.sha512(data).hexdigest()
    assert upload.memory.budget.take(1 << 40)  # all of it was given back


class Recording(MemoryStore):
    """A store that keeps its last multipart upload to be looked at."""

    writer: MemoryWriter | None = None

    def begin(
        self, key: str, about: About = NOTHING, *, shared: bool = False
    ) -> MemoryWriter:
        self.writer = super().begin(key, about, shared=shared)
        return self.writer


@pytest.mark.parametrize(
    ("sent", "length", "promised", "limit", "error"),
    [
        (10, 20, None, 100, ClientGone),
        (10, 10, 20, 100, SizeMismatch),
        (20, 20, 10, 100, SizeMismatch),
        (10, None, 20, 100, SizeMismatch),
        (20, None, 10, 100, SizeMismatch),
        (20, 20, None, 19, TooLarge),
        (20, None, None, 19, TooLarge),
    ],
)
def test_a_body_ends_where_it_should_or_is_an_error(
    sent: int,
    length: int | None,
    promised: int | None,
    limit: int,
    error: type[Exception],
) -> None:
    store = MemoryStore()
    body = Body(environ(content(sent), length=length), promised, limit)
    with pytest.raises(error):
        Upload(store, body).run()
    assert not store.objects_by_key
    assert not store.open_uploads


def test_what_can_be_known_before_the_body_is_known() -> None:
    for length, promised, limit, error in [
        (20, None, 19, TooLarge),
        (None, 20, 19, TooLarge),
        (20, 19, 100, SizeMismatch),
    ]:
        body = Body(environ(b"", length=length), promised, limit)
        with pytest.raises(error):
            body.check_expected()
    Body(environ(b"", length=20), 20, 20).check_expected()
    Body(environ(b"", length=None), None, 20).check_expected()


def test_bytes_behind_the_content_length_are_not_read() -> None:
    body = Body(environ(content(30), length=20), None, 100)
    assert body.read_into(memoryview(bytearray(100))) == 20


@pytest.mark.parametrize("request_", ["begin", "part", "commit", "put"])
def test_a_store_that_fails_leaves_nothing(request_: str) -> None:
    size = 10 if request_ == "put" else 3 * PART
    store = MemoryStore()
    store.before = unavailable(request_)
    body = Body(environ(content(size), length=size), None, 1 << 40)
    with pytest.raises(StoreUnavailable):
        Upload(store, body).run()
    assert not store.objects_by_key
    assert not store.open_uploads


@pytest.mark.parametrize("threads", [0, 1])
def test_without_threads_the_parts_are_sent_one_by_one(
    monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    """A process that may start no more threads finishes its uploads."""
    start, started = threading.Thread.start, []

    def limited(thread: threading.Thread) -> None:
        if thread.name.startswith("s3-part"):
            started.append(thread)
            if len(started) > threads:
                raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    store, data = MemoryStore(), content(4 * PART + 17)
    upload = Upload(store, Body(environ(data, length=len(data)), None, 1 << 40))
    upload.run()
    assert len(started) > threads
    assert store.objects_by_key == {"key": data}
    assert store.requests.count("part") == 5
    assert upload.memory.budget.take(1 << 40)


def test_an_upload_ends_after_the_interpreter_has_begun_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A server that stopped waiting for it lets it end by itself."""
    monkeypatch.setattr(concurrent.futures.thread, "_shutdown", True)
    store, data = MemoryStore(), content(2 * PART + 17)
    Upload(store, Body(environ(data, length=None), None, 1 << 40)).run()
    assert store.objects_by_key == {"key": data}


def test_a_client_that_breaks_off_aborts_the_upload() -> None:
    store = MemoryStore()
    body = Body(environ(content(3 * PART), length=4 * PART), None, 1 << 40)
    with pytest.raises(ClientGone):
        Upload(store, body).run()
    assert "abort" in store.requests
    assert not store.open_uploads


def test_memory_is_bounded_while_the_store_is_slow() -> None:
    taken = 0
    most = 0
    lock = threading.Lock()

    class Counted(Slabs):
        def take(self) -> mmap.mmap:
            nonlocal taken, most
            with lock:
                taken += 1
                most = max(most, taken)
            return super().take()

        def give_back(self, slabs: Any) -> None:
            nonlocal taken
            with lock:
                taken -= len(slabs)
            super().give_back(slabs)

    size = 10 * PART
    store = MemoryStore()
    upload = Upload(
        store, Body(environ(content(size), length=size), None, 1 << 40), 3 * PART
    )
    slabs = Counted(keep=3 * PART // SLAB)
    upload.memory = dataclasses.replace(upload.memory, slabs=slabs)
    upload.run()
    assert most <= 3 * PART // SLAB
    assert store.objects_by_key == {"key": content(size)}


def test_uploads_wait_for_the_memory_of_all_and_none_fails() -> None:
    budget = Budget(3 * PART, "upload")
    store = MemoryStore()
    gate = threading.Event()

    def before(request: str, key: str) -> None:
        if request == "part":
            gate.wait(120)

    store.before = before
    size = 10 * PART
    uploads = [
        Upload(store, Body(environ(content(size), length=size), None, 1 << 40), size)
        for _ in range(2)
    ]
    uploads[1].key = "other"
    for upload in uploads:
        upload.memory = dataclasses.replace(upload.memory, budget=budget)
    threads = [threading.Thread(target=upload.run) for upload in uploads]
    for thread in threads:
        thread.start()
    while sum(upload.body.received for upload in uploads) < 3 * PART:
        assert any(thread.is_alive() for thread in threads)
        threads[0].join(0.01)
    threads[0].join(0.2)
    assert sum(upload.body.received for upload in uploads) <= 4 * PART
    gate.set()
    for thread in threads:
        thread.join(120)
    assert store.objects_by_key == {"key": content(size), "other": content(size)}
    assert budget.take(3 * PART)


def test_an_upload_that_holds_its_only_part_back_waits_for_nobody() -> None:
    size = 2 * PART + 1
    upload = Upload(
        MemoryStore(), Body(environ(content(size), length=None), None, 1 << 40)
    )
    nothing = Budget(0, "upload")
    upload.memory = dataclasses.replace(upload.memory, budget=nothing)
    upload.run()
    assert upload.store.objects_by_key == {"key": content(size)}


@pytest.mark.parametrize("announced", [False, True])
def test_a_store_that_wants_equal_parts(
    announced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts would grow: the server had refused them when all bytes were sent."""
    monkeypatch.setattr(parts, "_GROWTH", 1)
    monkeypatch.setattr(parts, "MAX_PARTS", 3)
    store = MemoryStore(store_settings(part_size=PART, equal_parts=True))
    data = content(4 * PART if announced else 3 * PART + 1)
    length = len(data) if announced else None
    upload = Upload(store, Body(environ(data, length=length), None, 1 << 40))
    if announced:
        upload.run()
        assert list(store.objects_by_key.values()) == [data]
        return
    with pytest.raises(TooLarge, match="may have 15 MiB in this store"):
        upload.run()
    assert not store.objects_by_key
    assert not store.open_uploads

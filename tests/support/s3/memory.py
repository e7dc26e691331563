# SPDX-License-Identifier: Apache-2.0
"""An object store in memory that behaves, and misbehaves when it is told to."""

from __future__ import annotations

import functools
import hashlib
import io
import math
import threading
from collections.abc import Callable
from collections.abc import Iterator

from s3gateway.config.keys import KeyPair
from s3gateway.config.keys import Keys
from s3gateway.config.stores import StoreSettings
from s3gateway.errors import ObjectExists
from s3gateway.errors import ObjectNotFound
from s3gateway.errors import StoreError
from s3gateway.errors import StoreUnavailable
from s3gateway.http.ranges import Span
from s3gateway.store import NOTHING
from s3gateway.store import About
from s3gateway.store import Buffers
from s3gateway.store import Listed
from s3gateway.store import Note
from s3gateway.store import ObjectInfo
from s3gateway.store import Parts

MIB = 1024**2

Hook = Callable[[str, str], None]


def store_settings(name: str = "fast", **changes: object) -> StoreSettings:
    """Return the settings of a store that nothing is special about."""
    values: dict[str, object] = {
        "name": name,
        "endpoint": "http://s3.example:9000",
        "region": "",
        "keys": Keys(KeyPair("ACCESSKEY", "secret/with+all=the@odd:ones")),
        "bucket": name,
        "create_bucket": False,
        "addressing": "path",
        "large_object_size": 8 * MIB,
        "part_size": 5 * MIB,
        "max_parts_in_flight": 4,
        "cacert": "",
        "request_checksums": "when_required",
    }
    return StoreSettings(**{**values, **changes})  # type: ignore[arg-type]


class MemoryStore:
    """A bucket in memory.

    :ivar now: its clock, in seconds; it moves when the test moves it
    :ivar whose: which Glance each object belongs to
    :ivar decides: whether it knows conditional writes; if not, it looks whether there
        is an object and writes a moment later, and knows no ``if_match``
    :ivar sent: how many bytes of objects were read
    :ivar before: called before each request with its name and key; what it
        raises is the store's answer.  Between the look and the write, too, as ``write``
    :ivar after: called as ``before`` is, when a request that changes something, or
        reads a note, was carried out; what it raises takes the answer's place
    """

    def __init__(self, settings: StoreSettings | None = None) -> None:
        self.settings = settings or store_settings()
        self.objects_by_key: dict[str, bytes] = {}
        self.written: dict[str, float] = {}
        self.whose: dict[str, str] = {}
        self.now = 0.0
        self.decides = True
        self.knows_ranges: bool | None = True
        self.is_down = False
        self.open_uploads: dict[str, MemoryWriter] = {}
        self.completed: dict[str, str] = {}
        self.before: Hook = lambda request, key: None
        self.after: Hook = lambda request, key: None
        self.requests: list[str] = []
        self.open_readers = 0
        self.sent = 0
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return self.settings.name

    def put(
        self,
        key: str,
        data: Buffers,
        *,
        if_absent: bool = False,
        if_match: str = "",
        about: About | None = None,
    ) -> str:
        self.count("put", key)
        if not self.decides:
            self._check(key, if_absent)
            self.before("write", key)
        with self._lock:
            if self.decides:
                self._check(key, if_absent, if_match)
            self.write(key, b"".join(data))
            etag = etag_of(self.objects_by_key[key])
        self.after("put", key)
        return etag

    def decides_between_writers(self) -> bool:
        return self.decides

    def note(self, key: str, *, cleaning: bool = False) -> Note:
        self.count("note", key)
        data = self._object(key)
        age = self.now - self.written.get(key, 0)
        self.after("note", key)
        return Note(data, etag_of(data), age, self.whose.get(key, ""))

    def objects(self, prefix: str) -> Iterator[Listed]:
        self.count("objects", prefix)
        for key, data in sorted(self.objects_by_key.items()):
            if key.startswith(prefix):
                yield Listed(key, self.now - self.written.get(key, 0), size=len(data))

    def uploads(self) -> Iterator[Listed]:
        self.count("uploads", "")
        for upload_id in sorted(self.open_uploads):
            key = upload_id.removeprefix("upload-of-")
            yield Listed(key, self.now, upload_id=upload_id)

    def received(self, key: str, upload_id: str) -> int:
        self.count("received", key)
        if upload_id not in self.open_uploads:
            raise ObjectNotFound(f"Store {self.name} has no such upload")
        return sum(map(len, self.open_uploads[upload_id].parts.values()))

    def abandon(self, key: str, upload_id: str = "", *, others: bool = True) -> None:
        self.count("abandon", key)
        self.open_uploads.pop(f"upload-of-{key}" if others else upload_id, None)
        self.after("abandon", key)

    def begin(
        self, key: str, about: About = NOTHING, *, shared: bool = False
    ) -> MemoryWriter:
        self.count("begin", key)
        writer = MemoryWriter(self, key)
        self.after("begin", key)
        return writer

    def resume(self, key: str, upload_id: str) -> MemoryWriter:
        if upload_id == f"upload-of-{key}" and upload_id in self.open_uploads:
            return self.open_uploads[upload_id]
        return MemoryWriter(self, key, upload_id)

    def untouched(self, key: str, upload_id: str) -> float:
        self.count("untouched", key)
        if upload_id not in self.open_uploads:
            raise self.no_upload()
        return self.now - self.open_uploads[upload_id].touched

    def no_upload(self) -> ObjectNotFound:
        """Return the error for an upload that is not there."""
        error = ObjectNotFound(f"Store {self.name} has no such upload")
        error.code = "NoSuchUpload"
        return error

    def stat(self, key: str) -> ObjectInfo:
        self.count("stat", key)
        data = self._object(key)
        return ObjectInfo(len(data), etag_of(data), self.whose.get(key, ""))

    def read(
        self, key: str, span: Span, *, size: int, etag: str = "", bucket: str = ""
    ) -> MemoryReader:
        self.count("read", key)
        data = self._object(key)
        if len(data) != size or etag not in ("", etag_of(data)):
            raise ObjectNotFound(f"Store {self.name} has another version")
        return MemoryReader(self, key, data[span.start : span.stop], etag_of(data))

    def ping(self) -> None:
        self.count("ping", "")

    def delete(self, key: str) -> None:
        self.count("delete", key)
        self.objects_by_key.pop(key, None)
        self.after("delete", key)

    def write(self, key: str, data: bytes) -> None:
        """Have an object, as one that this store's Glance has written now."""
        self.objects_by_key[key] = data
        self.written[key] = self.now
        self.whose[key] = self.settings.writing.glance_id

    def count(self, request: str, key: str) -> None:
        """Count a request, and let it fail if the test wants it to."""
        with self._lock:
            self.requests.append(request)
        self.before(request, key)

    def moved(self, *, sent: int = 0, readers: int = 0) -> None:
        """Count what readers do, of which several may run at once."""
        with self._lock:
            self.sent += sent
            self.open_readers += readers

    def _check(self, key: str, if_absent: bool, if_match: str = "") -> None:
        if if_absent and key in self.objects_by_key:
            raise ObjectExists(f"Store {self.name} has such an object")
        if if_match and etag_of(self._object(key)) != if_match:
            raise ObjectExists(f"Store {self.name} has another object")

    def _object(self, key: str) -> bytes:
        if key not in self.objects_by_key:
            error = ObjectNotFound(f"Store {self.name} has no such object")
            error.code = "NoSuchKey"
            raise error
        return self.objects_by_key[key]


class MemoryReader:
    """Hands out the bytes of an object; a failing ``more`` breaks it off."""

    def __init__(self, store: MemoryStore, key: str, data: bytes, etag: str) -> None:
        self.etag = etag
        self._store = store
        self._key = key
        self._data = io.BytesIO(data)
        self._open = True
        store.moved(readers=1)

    def read(self, limit: int) -> bytes:
        self._store.count("more", self._key)
        data = self._data.read(limit)
        if not data:
            raise StoreUnavailable(f"Store {self._store.name} broke off")
        self._store.moved(sent=len(data))
        return data

    def fill(self, buffer: memoryview) -> None:
        buffer[:] = self.read(len(buffer))

    def cut(self) -> None:
        self._data.seek(0, io.SEEK_END)

    def close(self) -> None:
        self._store.moved(readers=-self._open)
        self._open = False


class MemoryWriter:
    """A multipart upload in memory."""

    def __init__(self, store: MemoryStore, key: str, resumed: str = "") -> None:
        self.upload_id = resumed or f"upload-of-{key}"
        self.parts: dict[int, bytes] = {}
        self.touched = -math.inf
        self.cancelled = False
        self._store = store
        self._key = key
        self._resumed = bool(resumed)
        if not resumed:
            store.open_uploads[self.upload_id] = self

    def send(self, number: int, part: Buffers) -> str:
        self._store.count("part", self._key)
        if self._resumed:
            raise self._store.no_upload()
        self.parts[number] = b"".join(part)
        self.touched = self._store.now
        self._store.after("part", self._key)
        return etag_of(self.parts[number])

    def commit(self, parts: Parts | None = None) -> str:
        self._store.count("commit", self._key)
        data = self._store.objects_by_key.get(self._key, b"")
        etag = self._store.completed.get(self.upload_id)
        if self._resumed and etag == etag_of(data):
            return etag
        self._check(parts or ())
        numbers = sorted(self.parts) if parts is None else [part[0] for part in parts]
        data = b"".join(self.parts[number] for number in numbers)
        if self._store.open_uploads.pop(self.upload_id, None) is None:
            if self._store.objects_by_key.get(self._key) != data:
                raise self._store.no_upload()
            return etag_of(data)  # it was done before, and the answer was lost
        self._store.write(self._key, data)
        self._store.completed[self.upload_id] = etag_of(data)
        self._store.after("commit", self._key)
        return etag_of(data)

    def _check(self, parts: Parts) -> None:
        if self._resumed:
            raise self._store.no_upload()
        for number, etag in parts:
            if etag_of(self.parts.get(number, b"none")).strip('"') != etag.strip('"'):
                error = StoreError(f"Store {self._store.name} answered 400")
                error.code = "InvalidPart"
                raise error

    def cancel(self) -> None:
        self.cancelled = True

    def abort(self) -> None:
        self._store.count("abort", self._key)
        self._store.open_uploads.pop(self.upload_id, None)
        self._store.after("abort", self._key)


@functools.lru_cache(maxsize=16)
def etag_of(data: bytes) -> str:
    """Return the etag the store gives to an object."""
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'


def unavailable(*requests: str) -> Callable[[str, str], None]:
    """Return a ``before`` that refuses some kinds of request."""

    def before(request: str, key: str) -> None:
        if request in requests:
            raise StoreUnavailable("Store fast answered 503 SlowDown")

    return before

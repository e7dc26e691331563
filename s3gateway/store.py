# SPDX-License-Identifier: Apache-2.0
"""The protocol of an object store; ``s3`` implements it.

``upload`` and ``download`` know stores only by these protocols.  Every method raises
the ``StoreError`` family and nothing else.  Keys are relative to the store's bucket.  A
store writes the id of the Glance with every object, so that no caller can forget it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from types import MappingProxyType
from typing import Protocol

from s3gateway.config.stores import StoreSettings
from s3gateway.http.ranges import Span

#: A part's bytes as one or several buffers, in order.
Buffers = Sequence[memoryview]
#: Numbers and etags of the parts of an object, in ascending order.
Parts = Sequence[tuple[int, str]]
#: Facts about an image, in ASCII; a store may keep them as object metadata.
About = Mapping[str, str]
NOTHING: About = MappingProxyType({})


@dataclasses.dataclass(frozen=True)
class Note:
    """A small object, read into memory.

    :ivar age: how long ago it was written, in seconds by the store's own clock
    :ivar glance_id: the Glance it belongs to, empty if it names none
    """

    data: bytes
    etag: str
    age: float
    glance_id: str = ""


@dataclasses.dataclass(frozen=True)
class Listed:
    """An object or a multipart upload in a listing.

    :ivar age: how long ago it was made, in seconds by the store's own clock
    :ivar size: in bytes, 0 for an upload
    :ivar upload_id: empty for an object
    """

    key: str
    age: float
    size: int = 0
    upload_id: str = ""


@dataclasses.dataclass(frozen=True)
class ObjectInfo:
    """What HEAD shows of an object: its size in bytes, its ETag, its Glance.

    :ivar glance_id: the Glance it belongs to, empty if it names none
    """

    size: int
    etag: str
    glance_id: str = ""


class ObjectReader(Protocol):
    """Reads a span of an object; close it on every path."""

    etag: str

    def read(self, limit: int) -> bytes:
        """Return up to ``limit`` bytes, empty at the end of the span.

        :raises StoreUnavailable: if the store broke off, or stayed silent
        """

    def fill(self, buffer: memoryview) -> None:
        """Fill a buffer with the next bytes; it must not be larger than what is left.

        :raises StoreUnavailable: if the store broke off, or stayed silent
        """

    def close(self) -> None:
        """Give the connection back, or close it if bytes are left."""

    def cut(self) -> None:
        """Make a read in another thread fail now."""


class Writer(Protocol):
    """A multipart upload: ``send`` its parts, then ``commit`` or ``abort``."""

    upload_id: str

    def send(self, number: int, part: Buffers) -> str:
        """Store one part, and return its etag; several threads may call it at once.

        :param number: 1 or more, in the order of the object's bytes
        :raises StoreError: if the store did not take it, after retries
        """

    def commit(self, parts: Parts | None = None) -> str:
        """Make the object visible; if the answer is lost, look for the object.

        :param parts: of a resumed upload; by default all that this writer has sent
        :return: the object's etag; empty if the store returns none
        :raises StoreError: if there is no object
        """

    def cancel(self) -> None:
        """Make running sends give up soon."""

    def abort(self) -> None:
        """Drop the upload and its parts; never raises."""


class ObjectStore(Protocol):
    """One bucket of one S3 server.

    :ivar knows_ranges: ``None`` until the server has answered a range; false while it
        answers with the whole object.  Reading a span then discards the rest, so read
        one span at a time
    """

    settings: StoreSettings
    knows_ranges: bool | None

    @property
    def name(self) -> str:
        """The store's identifier."""

    @property
    def is_down(self) -> bool:
        """Whether the last request, a moment ago, got no answer."""

    def put(
        self,
        key: str,
        data: Buffers,
        *,
        if_absent: bool = False,
        if_match: str = "",
        about: About | None = None,
    ) -> str:
        """Store a small object in one request; return its etag.

        :param if_absent: never replace an object
        :param if_match: replace only the object with this etag.  A store without
            this condition looks first and then replaces what is there
        :param about: facts about the image; ``None`` if the object is no image
        :return: empty if the store returns no etag
        :raises ObjectExists: if the condition does not hold
        :raises ObjectNotFound: if there is no object to replace
        """

    def decides_between_writers(self) -> bool:
        """Whether ``if_absent`` lets exactly one of several writers write.

        If not, the store looks first and writes a moment later, so several may write.
        """

    def note(self, key: str, *, cleaning: bool = False) -> Note:
        """Read a small object.

        :param cleaning: retry for a few seconds only
        :raises ObjectNotFound: if there is none
        """

    def objects(self, prefix: str) -> Iterator[Listed]:
        """Yield all objects whose keys begin with a prefix."""

    def uploads(self) -> Iterator[Listed]:
        """Yield the incomplete multipart uploads.

        Some stores do not list all of them; claims name those that matter.
        """

    def abandon(self, key: str, upload_id: str = "", *, others: bool = True) -> None:
        """Abort the incomplete multipart uploads to a key.

        :param upload_id: a known upload
        :param others: whether others too, which are found by listing, if the store can
            list them
        """

    def begin(
        self, key: str, about: About = NOTHING, *, shared: bool = False
    ) -> Writer:
        """Start a multipart upload.

        :param about: the facts about the image that are known by now
        :param shared: whether other processes may resume it
        """

    def resume(self, key: str, upload_id: str) -> Writer:
        """Go on with a multipart upload that was begun to be shared.

        Whether there is one is found out by using it.
        """

    def untouched(self, key: str, upload_id: str) -> float:
        """Return how long ago the last part of an upload came, in seconds.

        It is infinite if there is none.

        :raises ObjectNotFound: if there is no such upload
        """

    def stat(self, key: str) -> ObjectInfo:
        """Look at an object.

        :raises ObjectNotFound: if there is none
        """

    def read(
        self, key: str, span: Span, *, size: int, etag: str = "", bucket: str = ""
    ) -> ObjectReader:
        """Open a span of an object.

        :param size: size that the object must have, in bytes
        :param etag: version that it must be; any if empty
        :param bucket: another bucket of the server; the store's own if empty
        :raises ObjectNotFound: if there is no object of that size and version
        """

    def ping(self) -> None:
        """Send the bucket one cheap request.

        :raises StoreError: if it fails
        """

    def delete(self, key: str) -> None:
        """Delete an object; it is no error if there is none."""

# SPDX-License-Identifier: Apache-2.0
"""What an object store is, whichever one it is.

``upload`` and ``download`` know stores only by these protocols; they are handed
those of ``s3``.  Every method raises the ``StoreError`` family and nothing else.
Keys are relative to the store's bucket.  A store writes with every object which
Glance it belongs to, so that nobody who writes can forget it.
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
#: What is known of an image, in ASCII; a store may keep it beside the object.
About = Mapping[str, str]
NOTHING: About = MappingProxyType({})


@dataclasses.dataclass(frozen=True)
class Note:
    """A small object, read into memory.

    :ivar age: how long ago it was written, in seconds by the store's own clock
    :ivar glance_id: of the Glance that it belongs to, empty if it does not say
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
    """What a store says of an object: its size in bytes, its etag, whose it is.

    :ivar glance_id: of the Glance that it belongs to, empty if it does not say
    """

    size: int
    etag: str
    glance_id: str = ""


class ObjectReader(Protocol):
    """An object's bytes on their way in; close it on every path."""

    etag: str

    def read(self, limit: int) -> bytes:
        """Return up to ``limit`` bytes, empty at the end of the span.

        :raises StoreUnavailable: if the store broke off, or stayed silent
        """

    def fill(self, buffer: memoryview) -> None:
        """Fill a buffer with the next bytes; no more of them than are left.

        :raises StoreUnavailable: if the store broke off, or stayed silent
        """

    def close(self) -> None:
        """Give the connection back, or cut it if bytes are still to come."""

    def cut(self) -> None:
        """Have a read in another thread fail now."""


class Writer(Protocol):
    """A multipart upload: ``send`` its parts, then ``commit`` or ``abort``."""

    upload_id: str

    def send(self, number: int, part: Buffers) -> None:
        """Store one part; may be called from several threads at once.

        :param number: 1 or more, in the order of the object's bytes
        :raises StoreError: when the store did not take it, after retries
        """

    def commit(self) -> None:
        """Make the object visible; a lost answer is resolved by looking.

        :raises StoreError: if there is no object
        """

    def cancel(self) -> None:
        """Let the sends in progress give up soon."""

    def abort(self) -> None:
        """Drop the upload and its parts; never raises."""


class ObjectStore(Protocol):
    """One bucket of one S3 server.

    :ivar knows_ranges: false when it was found to answer a range with the whole
        object, of which the rest is then thrown away: several spans of an object
        are not to be read at once
    """

    settings: StoreSettings
    knows_ranges: bool

    @property
    def name(self) -> str:
        """The store's identifier."""

    @property
    def is_down(self) -> bool:
        """Whether the store did not answer when it was asked a moment ago."""

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

        :param if_absent: whether it must not replace one that is there
        :param if_match: the etag of the only one that it may replace; a store that
            knows no such condition looks first, and replaces any a moment later
        :param about: what is known of the image that it is; ``None`` if it is none
        :return: empty if the store does not say
        :raises ObjectExists: if there is another one than the condition says
        :raises ObjectNotFound: if there is none that it could replace
        """

    def decides_between_writers(self) -> bool:
        """Whether ``if_absent`` lets exactly one of several writers write.

        Elsewhere a store looks first and writes a moment later, so that several may.
        """

    def note(self, key: str, *, cleaning: bool = False) -> Note:
        """Read a small object.

        :param cleaning: whether it is no use to try again for long
        :raises ObjectNotFound: if there is none
        """

    def objects(self, prefix: str) -> Iterator[Listed]:
        """Yield all objects whose keys begin with a prefix."""

    def uploads(self) -> Iterator[Listed]:
        """Yield the multipart uploads that were not completed.

        Not every store lists all of them; a claim names the ones that matter.
        """

    def abandon(self, key: str, upload_id: str = "") -> None:
        """Drop the multipart uploads to a key that were not completed.

        :param upload_id: of one that is known; others are found by listing, where
            the store can
        """

    def begin(self, key: str, about: About = NOTHING) -> Writer:
        """Start a multipart upload.

        :param about: what is known of the image by now
        """

    def stat(self, key: str) -> ObjectInfo:
        """Look at an object.

        :raises ObjectNotFound: if there is none
        """

    def read(
        self, key: str, span: Span, *, size: int, etag: str = "", bucket: str = ""
    ) -> ObjectReader:
        """Open a span of an object.

        :param size: the size the object must have, in bytes
        :param etag: the version it must be; any if empty
        :param bucket: where it is; the store's own bucket if empty
        :raises ObjectNotFound: if there is none of that size and version
        """

    def ping(self) -> None:
        """Ask the bucket for a sign of life, once.

        :raises StoreError: if there is none
        """

    def delete(self, key: str) -> None:
        """Delete an object; it is no error if there is none."""

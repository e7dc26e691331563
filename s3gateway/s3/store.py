# SPDX-License-Identifier: Apache-2.0
"""The object store on S3: implements ``s3gateway.store.ObjectStore``."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Iterator

from oslo_log import log as logging

from s3gateway.config.settings import TransferSettings
from s3gateway.config.stores import StoreSettings
from s3gateway.errors import ObjectExists
from s3gateway.errors import ObjectNotFound
from s3gateway.errors import StoreError
from s3gateway.http.ranges import Span
from s3gateway.s3 import conditional
from s3gateway.s3 import errors as s3errors
from s3gateway.s3 import listing
from s3gateway.s3 import metadata
from s3gateway.s3 import reader
from s3gateway.s3 import seals
from s3gateway.s3 import writer
from s3gateway.s3.bucket import CLEANING_TIME
from s3gateway.s3.bucket import Bucket
from s3gateway.s3.bucket import Source
from s3gateway.s3.conditional import ConditionalPut
from s3gateway.s3.conditional import Knowledge
from s3gateway.s3.reader import S3Reader
from s3gateway.s3.seals import NONE
from s3gateway.s3.seals import USUAL
from s3gateway.s3.unsigned import UnsignedPayloads
from s3gateway.s3.writer import S3Writer
from s3gateway.store import NOTHING
from s3gateway.store import About
from s3gateway.store import Buffers
from s3gateway.store import Listed
from s3gateway.store import Note
from s3gateway.store import ObjectInfo

LOG = logging.getLogger(__name__)

_IGNORED = ConditionalPut.IGNORED


class S3Store:
    """A store on S3.

    :ivar bucket: sends the requests; only ``s3gateway.manage`` uses it directly
    """

    def __init__(self, settings: StoreSettings, transfer: TransferSettings) -> None:
        self.settings = settings
        self.bucket = Bucket(settings, transfer)
        self.knows_ranges: bool | None = None
        self._knowledge = Knowledge(self.bucket)
        self._unsigned = UnsignedPayloads(self.bucket)

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def is_down(self) -> bool:
        return self.bucket.is_down

    def put(
        self,
        key: str,
        data: Buffers,
        *,
        if_absent: bool = False,
        if_match: str = "",
        about: About | None = None,
    ) -> str:
        if if_match:
            return self._replace(key, data, about, if_match)
        condition = NONE
        if if_absent and self._knowledge.conditional_put() is _IGNORED:
            self._must_be_absent(key)
        elif if_absent:
            condition = conditional.IF_ABSENT
        is_image = about is not None
        seal = seals.by_crc32(data) if is_image and self._unsigned.allowed() else USUAL
        put = functools.partial(
            self.bucket.put, key, data, about, condition=condition, seal=seal
        )
        return self.bucket.patiently(key, put)

    def decides_between_writers(self) -> bool:
        return self._knowledge.conditional_put() is ConditionalPut.DECIDES

    def note(self, key: str, *, cleaning: bool = False) -> Note:
        def read() -> Note:
            with contextlib.closing(self.bucket.get(key)) as answer:
                return reader.note(self.name, answer)

        retry_time = CLEANING_TIME if cleaning else math.inf
        return self.bucket.patiently(key, read, retry_time=retry_time)

    def objects(self, prefix: str) -> Iterator[Listed]:
        return listing.objects(self.bucket, prefix)

    def uploads(self) -> Iterator[Listed]:
        return listing.uploads(self.bucket)

    def received(self, key: str, upload_id: str) -> int:
        """Return how many bytes of a multipart upload are there."""
        return listing.received(self.bucket, key, upload_id)

    def abandon(self, key: str, upload_id: str = "", *, others: bool = True) -> None:
        writer.abandon(self.bucket, key, upload_id, others=others)

    def begin(
        self, key: str, about: About = NOTHING, *, shared: bool = False
    ) -> S3Writer:
        # Whether payloads may go unsigned each process finds out for itself.
        unsigned = not shared and self._unsigned.allowed()
        return writer.begin(self.bucket, key, about, unsigned=unsigned)

    def resume(self, key: str, upload_id: str) -> S3Writer:
        return S3Writer(self.bucket, key, upload_id)

    def untouched(self, key: str, upload_id: str) -> float:
        ages = [part.age for part in listing.parts(self.bucket, key, upload_id)]
        return min(ages, default=math.inf)

    def begin_copy(self, key: str, about: About) -> S3Writer:
        """Begin a multipart upload whose parts the server copies."""
        return writer.begin(self.bucket, key, about)

    def copy(self, key: str, source: Source, about: About) -> None:
        """Make the server copy one of its own objects."""
        self.bucket.patiently(key, lambda: self.bucket.copy(key, source, about))

    def stat(self, key: str) -> ObjectInfo:
        ask = functools.partial(self.bucket.ask, "head_object", Key=key)
        answer = self.bucket.patiently(key, ask)
        whose = metadata.glance_id(answer.get("Metadata", {}))
        size = s3errors.said(self.name, answer, "ContentLength")
        return ObjectInfo(size, answer.get("ETag", ""), whose)

    def read(
        self, key: str, span: Span, *, size: int, etag: str = "", bucket: str = ""
    ) -> S3Reader:
        headers = {"If-Match": etag} if etag else {}
        if span.length < size:
            headers["Range"] = f"bytes={span.start}-{span.stop - 1}"
        try:
            answer = self.bucket.get(key, headers, bucket)
        except ObjectExists as error:  # 412 means another version here
            raise ObjectNotFound(str(error)) from None
        found = S3Reader(self.name, answer, span, size, etag)
        if span.length < size:
            self._notice(ranged=found.ranged)
        return found

    def ping(self) -> None:
        self.bucket.patiently("", self.bucket.ping)

    def delete(self, key: str) -> None:
        self.bucket.delete(key)

    def _notice(self, *, ranged: bool) -> None:
        """Notice how a range was answered, the last time."""
        if not ranged and self.knows_ranges is not False:
            LOG.warning("Store %s answers ranges with whole objects", self.name)
        self.knows_ranges = ranged

    def _must_be_absent(self, key: str) -> None:
        try:
            self.stat(key)
        except ObjectNotFound:
            return
        raise ObjectExists(f"Store {self.name} has such an object")

    def _replace(self, key: str, data: Buffers, about: About | None, etag: str) -> str:
        """Replace one version of an object.

        If a server refuses the header twice, it does not know it; one 4xx may be an
        accident.  Ceph accepts the etag only without quotes, other servers both ways.
        """
        bare = etag.strip('"')
        put = functools.partial(self.bucket.put, key, data, about)
        for _ in range(2):
            try:
                return self.bucket.patiently(
                    key, lambda: put(condition={"If-Match": bare})
                )
            except StoreError as error:
                if type(error) is not StoreError:
                    raise
        if self.stat(key).etag.strip('"') != bare:
            raise ObjectExists(f"Store {self.name} has another version")
        return self.bucket.patiently(key, put)

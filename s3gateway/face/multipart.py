# SPDX-License-Identifier: Apache-2.0
"""Multipart uploads of Glance's driver: begin, parts, completion, abort.

Each request may reach another process.  The upload id is that of S3 itself, and nothing
is kept here between two requests.  ``s3gateway-manage gc`` aborts what the driver
leaves.
"""

from __future__ import annotations

import contextlib
import re
import threading
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator

from oslo_log import log as logging

from s3gateway.config.stores import MIB
from s3gateway.face.errors import S3Error
from s3gateway.face.operations import Request
from s3gateway.face.operations import done
from s3gateway.face.operations import gone
from s3gateway.http.wsgi import Answer
from s3gateway.store import Parts
from s3gateway.streams.buffers import SLAB
from s3gateway.streams.retries import while_nothing_moved
from s3gateway.upload.parts import Part
from s3gateway.upload.stream import Memory

LOG = logging.getLogger(__name__)

#: The driver cuts an image of 5 TiB into 10,000 parts of less, and makes none larger
#: unless s3_store_large_object_chunk_size is.
LARGEST_PART = 640 * MIB

_MOST_OF_A_DOCUMENT = 4 * MIB
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_NUMBER = re.compile(r"[1-9][0-9]{0,4}")
_ETAG = re.compile(r'"?[0-9A-Za-z-]{1,128}"?')


class Multipart:
    """Carries out the operations on multipart uploads.

    :param memory: of all uploads; a part is in it as a whole, so that it can be sent
        to S3 again
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._parsing = threading.Lock()
        self._entering = threading.Lock()
        self._lock = threading.Lock()
        self._parts = 0

    def create(self, request: Request) -> Answer:
        """Answer CreateMultipartUpload."""
        request.payload.small(0)
        asked, store = request.asked, request.store
        with while_nothing_moved():
            writer = store.begin(asked.key, request.about, shared=True)
        return _document(
            "InitiateMultipartUploadResult",
            Bucket=asked.bucket,
            Key=asked.key,
            UploadId=writer.upload_id,
        )

    def part(self, request: Request) -> Answer:
        """Answer UploadPart."""
        asked, payload = request.asked, request.payload
        if payload.length > LARGEST_PART:
            raise S3Error("EntityTooLarge", "A part may have 640 MiB.")
        writer = request.store.resume(asked.key, asked.upload_id)
        with self._received(request) as part, while_nothing_moved():
            etag = writer.send(asked.part, part.buffers())
        return done([("ETag", etag)])

    def complete(self, request: Request) -> Answer:
        """Answer CompleteMultipartUpload."""
        document = request.payload.small(_MOST_OF_A_DOCUMENT)
        with self._parsing:  # a tree may take 40 times the memory of its document
            parts = _parts(document)
        asked = request.asked
        with while_nothing_moved():
            writer = request.store.resume(asked.key, asked.upload_id)
            etag = writer.commit(parts)
        LOG.info("Image %s: Glance wrote %d parts", asked.image_id, len(parts))
        return _document(
            "CompleteMultipartUploadResult",
            Location=f"/{asked.bucket}/{asked.key}",
            Bucket=asked.bucket,
            Key=asked.key,
            ETag=etag,
        )

    def abort(self, request: Request) -> Answer:
        """Answer AbortMultipartUpload; it is no error if there is none."""
        request.payload.small(0)
        asked = request.asked
        with while_nothing_moved():
            request.store.abandon(asked.key, asked.upload_id, others=False)
        return gone()

    @contextlib.contextmanager
    def _received(self, request: Request) -> Iterator[Part]:
        """Have a part in memory, received and checked."""
        payload, slabs = request.payload, self._memory.slabs
        with slabs.in_use(), self._room(payload.length):
            part = Part(request.asked.part, 0, payload.length, payload.length, [])
            try:
                while payload.received < payload.length:
                    part.slabs.append(slabs.take())
                    rest = min(SLAB, payload.length - payload.received)
                    if payload.read_into(memoryview(part.slabs[-1])[:rest]) < rest:
                        break
                payload.check()
                yield part
            finally:
                slabs.give_back(part.slabs)

    @contextlib.contextmanager
    def _room(self, size: int) -> Iterator[None]:
        """Have memory for a part; if all is used up, wait unless it is the only one."""
        with self._entering:  # one at a time, or several would be the only one
            self._memory.budget.wait_for(size, lambda: not self._parts)
            with self._lock:
                self._parts += 1
        try:
            yield
        finally:
            with self._lock:
                self._parts -= 1
            self._memory.budget.give_back(size)


def _document(name: str, **elements: str) -> Answer:
    root = ElementTree.Element(name, xmlns=_NAMESPACE)
    for element, text in elements.items():
        ElementTree.SubElement(root, element).text = text
    body: bytes = ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return done([], body)


def _parts(document: bytes) -> Parts:
    """Return the parts that a completion names.

    :raises S3Error: if the document is not one
    """
    root = _root(document)
    parts = [_part(element) for element in root.iterfind("{*}Part")]
    numbers = [number for number, _ in parts]
    if root.tag.rpartition("}")[2] != "CompleteMultipartUpload" or not parts:
        raise S3Error("MalformedXML")
    if numbers != sorted(set(numbers)):
        raise S3Error("InvalidPartOrder")
    return parts


def _root(document: bytes) -> ElementTree.Element:
    """Return a document's root.

    It must be UTF-8, so that the search for declarations, and thus for entities, sees
    what the parser sees.  By a NUL expat recognizes UTF-16, whatever it was told.
    """
    try:
        text = document.decode("utf-8")
        if "<!" in text or "\0" in text:
            raise S3Error("MalformedXML")
        return ElementTree.fromstring(text)  # noqa: S314  see above
    except (ElementTree.ParseError, ValueError):
        raise S3Error("MalformedXML") from None


def _part(element: ElementTree.Element) -> tuple[int, str]:
    number = element.findtext("{*}PartNumber", "").strip()
    etag = element.findtext("{*}ETag", "").strip()
    if not (_NUMBER.fullmatch(number) and _ETAG.fullmatch(etag)):
        raise S3Error("MalformedXML")
    return int(number), etag

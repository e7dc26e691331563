# SPDX-License-Identifier: Apache-2.0
"""HEAD, GET, PUT and DELETE of objects, and of the bucket that they are in."""

from __future__ import annotations

from s3gateway.config.settings import TransferSettings
from s3gateway.download.body import Delivery
from s3gateway.download.failover import Copies
from s3gateway.download.failover import Copy
from s3gateway.download.pieces import Pieces
from s3gateway.face.errors import S3Error
from s3gateway.face.operations import Request
from s3gateway.face.operations import done
from s3gateway.face.operations import gone
from s3gateway.http import ranges
from s3gateway.http.answer_body import AnswerBody
from s3gateway.http.ranges import Span
from s3gateway.http.wsgi import Answer
from s3gateway.http.wsgi import Headers
from s3gateway.monitoring.transfers import Transfer
from s3gateway.store import ObjectInfo
from s3gateway.streams.retries import while_nothing_moved
from s3gateway.upload import stream
from s3gateway.upload.stream import Memory
from s3gateway.upload.written import Written

#: The body of CreateBucket names a region; the store's configuration does as well.
_MOST_OF_A_DOCUMENT = 64 * 1024


class Objects:
    """Carries out operations on buckets and objects.

    :param memory: for uploads
    :param written: what this process registers now
    """

    def __init__(
        self, transfer: TransferSettings, memory: Memory, written: Written
    ) -> None:
        self._retry_time = transfer.retry_time
        self._memory = memory
        self._written = written
        self._pieces = Pieces.of(transfer)

    def bucket(self, request: Request) -> Answer:
        """Answer HeadBucket and CreateBucket, without asking the store.

        A bucket that does not exist is created by the first object in it, or not, as
        ``s3_store_create_bucket_on_put`` of the gateway's own configuration says.
        """
        request.payload.small(_MOST_OF_A_DOCUMENT)
        return done([("Location", f"/{request.asked.bucket}")])

    def head(self, request: Request) -> Answer:
        """Answer HeadObject; of what is being registered, without asking the store."""
        request.payload.small(0)
        asked, store = request.asked, request.store
        size = self._written.size(store.name, asked.key)
        info = _stat(request) if size is None else ObjectInfo(size, "")
        return Answer("200 OK", _headers(info, info.size), [])

    def get(self, request: Request) -> Answer:
        """Answer GetObject, of the whole object or a range.

        The store is retried, and resumed at the byte where it broke off.
        """
        request.payload.small(0)
        info = _stat(request)
        part = _span(request.environ.get("HTTP_RANGE"), info.size)
        span = part or Span(0, info.size)
        headers = _headers(info, span.length)
        if part is not None:
            headers.append(("Content-Range", part.content_range(info.size)))
        status = "200 OK" if part is None else "206 Partial Content"
        if not span.length:
            return Answer(status, headers, [])
        delivery = self._delivery(request, span, info.size)
        delivery.open()
        return Answer(status, headers, AnswerBody(delivery, span.length))

    def put(self, request: Request) -> Answer:
        """Answer PutObject; nothing is visible before all of the body was checked."""
        asked, payload = request.asked, request.payload
        self._written.forget(request.store.name, asked.key)
        transfer = Transfer(
            "upload", asked.image_id, request.store.name, lambda: payload.received
        )
        with transfer:
            etag = self._stored(request) if payload.length else _stored_empty(request)
            transfer.end()
        return done(_with_etag(etag))

    def delete(self, request: Request) -> Answer:
        """Answer DeleteObject; it is no error if there is none."""
        request.payload.small(0)
        self._written.forget(request.store.name, request.asked.key)
        with while_nothing_moved():
            request.store.delete(request.asked.key)
        return gone()

    def _stored(self, request: Request) -> str:
        """Store the body, in parts if it is large; return the object's etag."""
        payload = request.payload
        with stream.into(
            request.store,
            request.asked.key,
            self._memory,
            length=payload.length,
            algorithms=(),
            began=lambda upload_id: None,
            about=request.about,
        ) as outgoing:
            for _ in outgoing.send(payload):
                pass
            payload.check()
            with while_nothing_moved():
                return outgoing.commit()

    def _delivery(self, request: Request, span: Span, size: int) -> Delivery:
        asked, store = request.asked, request.store
        copy = Copy(store, store.settings.bucket, asked.key)
        return Delivery(
            asked.image_id,
            Copies(
                asked.image_id, [copy], span, size=size, retry_time=self._retry_time
            ),
            span,
            pieces=self._pieces,
            environ=request.environ,
        )


def _stored_empty(request: Request) -> str:
    request.payload.check()
    with while_nothing_moved():
        return request.store.put(request.asked.key, [], about=request.about)


def _stat(request: Request) -> ObjectInfo:
    with while_nothing_moved():
        return request.store.stat(request.asked.key)


def _span(header: str | None, size: int) -> Span | None:
    """Return the requested range, ``None`` for the whole object."""
    if header is None:
        return None
    try:
        return ranges.of_range(header, size)
    except ranges.NotSatisfiable:
        raise S3Error("InvalidRange") from None
    except ranges.NotUnderstood:
        raise S3Error("NotImplemented", "The face knows single ranges only.") from None


def _headers(info: ObjectInfo, length: int) -> Headers:
    return [
        ("Accept-Ranges", "bytes"),
        ("Content-Type", "binary/octet-stream"),
        ("Content-Length", str(length)),
        *_with_etag(info.etag),
    ]


def _with_etag(etag: str) -> Headers:
    return [("ETag", etag)] if etag else []

# SPDX-License-Identifier: Apache-2.0
"""Copying an object inside of one S3 server, without its bytes passing here."""

from __future__ import annotations

from collections.abc import Callable
from concurrent import futures

from s3gateway.http.ranges import Span
from s3gateway.s3.bucket import Source
from s3gateway.s3.store import S3Store
from s3gateway.s3.writer import S3Writer
from s3gateway.store import About
from s3gateway.upload.parts import part_size

#: A part that is copied costs a request and no memory, so it may be larger.
_FACTOR = 8
#: S3 copies no more than that in one request, of an object or of a part.
_MOST = 5 * 1024**3  # bytes


def duplicate(
    store: S3Store,
    source: Source,
    key: str,
    *,
    size: int,
    about: About,
    began: Callable[[str], None],
    moved: Callable[[int], None],
) -> None:
    """Copy an object of the same server to a key of a store.

    :param size: the object's size in bytes
    :param about: what is known of the image
    :param began: called with the upload id before the first part is copied
    :param moved: called with the number of bytes whenever some are there
    :raises StoreError: if it was not copied; there is no upload left then
    """
    if size < min(store.settings.large_object_size, _MOST):
        store.copy(key, source, about)
        moved(size)
        return
    writer = store.begin_copy(key, about)
    try:
        began(writer.upload_id)
        _copy_parts(store, writer, source, size, moved)
        writer.commit()
    except BaseException:
        writer.abort()
        raise


def _copy_parts(
    store: S3Store,
    writer: S3Writer,
    source: Source,
    size: int,
    moved: Callable[[int], None],
) -> None:
    def copy(number: int, span: Span) -> int:
        writer.copy(number, source, span)
        return span.length

    step = part_size(min(_FACTOR * store.settings.part_size, _MOST), 0, size)
    spans = [Span(at, min(at + step, size)) for at in range(0, size, step)]
    with futures.ThreadPoolExecutor(store.settings.max_parts_in_flight) as pool:
        copies = [pool.submit(copy, *job) for job in enumerate(spans, 1)]
        try:
            for done in futures.as_completed(copies):
                moved(done.result())
        except BaseException:
            writer.cancel()
            pool.shutdown(cancel_futures=True)
            raise

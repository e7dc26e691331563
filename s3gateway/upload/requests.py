# SPDX-License-Identifier: Apache-2.0
"""PUT requests: the S3 store in the headers, and the body."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping

from s3gateway.config.settings import Settings
from s3gateway.errors import StoreError
from s3gateway.http import request_body
from s3gateway.http.request_body import Body
from s3gateway.http.wsgi import Environ
from s3gateway.store import ObjectStore


def chosen_store(
    environ: Environ, stores: Mapping[str, ObjectStore], settings: Settings
) -> ObjectStore | None:
    """Return the S3 store of a request, ``None`` if its store is not S3."""
    default = settings.default_store
    if settings.multi_store:
        return stores.get(environ.get("HTTP_X_IMAGE_META_STORE", default))
    return stores.get(default)


def is_upload(environ: Environ) -> bool:
    """Whether Glance would read data from the request."""
    kind = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    try:
        _promised_size(environ)
        length = request_body.content_length(environ)
    except ValueError:
        return False
    return kind == "application/octet-stream" and length != 0


def body_of(
    environ: Environ, settings: Settings, moved: Callable[[], None] | None = None
) -> Body:
    """Return a reader of the request body.

    :param moved: called whenever bytes have come
    """
    return Body(
        environ,
        _promised_size(environ),
        settings.image_size_cap,
        fast=settings.transfer.fast_lanes,
        moved=moved,
    )


def refuse_another_try(error: BaseException, body: Body) -> None:
    """Turn a 503 into a 500 once some of the body has been read.

    Some clients, such as Nova, retry after a 503 and send only the rest of the body.

    :raises StoreError: with status 500, in place of a 503 of the store
    """
    if isinstance(error, StoreError) and error.status == 503 and body.received:
        raise StoreError(str(error)) from error


def _promised_size(environ: Environ) -> int | None:
    """Return the size the client announced, ``None`` if it did not.

    :raises ValueError: if it is not a number
    """
    return int(environ.get("HTTP_X_OPENSTACK_IMAGE_SIZE") or 0) or None

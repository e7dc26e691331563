# SPDX-License-Identifier: Apache-2.0
"""PUT requests: which S3 store one is for, and whether Glance would read its body."""

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
    """Return the S3 store that a request names, ``None`` if it is not S3."""
    default = settings.default_store
    if settings.multi_store:
        return stores.get(environ.get("HTTP_X_IMAGE_META_STORE", default))
    return stores.get(default)


def is_upload(environ: Environ) -> bool:
    """Whether the request is one that Glance would read data from."""
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
    """Return the image's bytes on their way in.

    :param moved: called whenever some have come
    """
    return Body(
        environ,
        _promised_size(environ),
        settings.image_size_cap,
        fast=settings.transfer.fast_lanes,
        moved=moved,
    )


def refuse_another_try(error: BaseException, body: Body) -> None:
    """Keep a client from sending a body again that is used up.

    Some clients try again on a 503, Nova's for one, and go on where they stopped.

    :raises StoreError: in place of a 503 of the store
    """
    if isinstance(error, StoreError) and error.status == 503 and body.received:
        raise StoreError(str(error)) from error


def _promised_size(environ: Environ) -> int | None:
    """Return the size the client announced, ``None`` if it did not.

    :raises ValueError: if it is not a number
    """
    return int(environ.get("HTTP_X_OPENSTACK_IMAGE_SIZE") or 0) or None

# SPDX-License-Identifier: Apache-2.0
"""The codes by which results name errors of S3 and of Glance; they do not change."""

from __future__ import annotations

from s3gateway.errors import Conflict
from s3gateway.errors import DigestMismatch
from s3gateway.errors import GlanceError
from s3gateway.errors import ImageGone
from s3gateway.errors import ObjectNotFound
from s3gateway.errors import SizeMismatch
from s3gateway.errors import StoreDenied
from s3gateway.errors import StoreError
from s3gateway.errors import StoreFull
from s3gateway.errors import StoreUnavailable
from s3gateway.glance.api import Refused

#: What S3 answers to a question for the first byte of an object that is empty.
_TOO_SHORT = ("InvalidRange", "416")

#: The first that fits counts.
_BY_KIND: tuple[tuple[type[Exception], str], ...] = (
    (StoreUnavailable, "unreachable"),
    (StoreDenied, "denied"),
    (StoreFull, "full"),
    (StoreError, "store_error"),
    (DigestMismatch, "digest"),
    (SizeMismatch, "size"),
    (ImageGone, "gone"),
    (Conflict, "conflict"),
    (GlanceError, "glance"),
    (Refused, "glance"),
)

OTHER = "other"


def code_of(error: Exception) -> str:
    """Return the code of an error."""
    if isinstance(error, ObjectNotFound):
        # The server says which object is not there; we see that one is another.
        is_there = not error.code or error.code in _TOO_SHORT
        return "size" if is_there else "missing"
    return next((code for kind, code in _BY_KIND if isinstance(error, kind)), OTHER)

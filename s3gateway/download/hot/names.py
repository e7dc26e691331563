# SPDX-License-Identifier: Apache-2.0
"""Names of files in the directory of hot images: hashes, so that they tell nothing.

    <image>-<object>-<start>-<length>           a piece
    <image>-<object>-<start>-<length>.draft     a piece that is being written
    <image>-<object>.uses                    a byte for each use, up to 2

``image`` is for the image's id, so that its files can be found when it is deleted.
``object`` is for all that says which bytes they are: endpoint, bucket, key, size, and
the digest that Glance has.  The ETag is in the files.
"""

from __future__ import annotations

import hashlib
import json
import re

from s3gateway.download.failover import Copy
from s3gateway.download.hot.files import DRAFT
from s3gateway.http.ranges import Span

USES = ".uses"

_STEM = r"[0-9a-f]{16}-[0-9a-f]{32}"
_PIECE = re.compile(rf"{_STEM}-[0-9a-f]+-[0-9a-f]+")
_OURS = re.compile(rf"{_PIECE.pattern}(\{DRAFT})?|{_STEM}\{USES}")


class Names:
    """The names of the files of one object.

    :param size: of the object in bytes
    """

    def __init__(self, copy: Copy, size: int) -> None:
        store = copy.store.settings
        known = [store.endpoint, copy.bucket, copy.key, size, copy.version.digest]
        self._stem = f"{image(copy.version.image_id)}-{_hash(json.dumps(known), 16)}"

    @property
    def uses(self) -> str:
        """The file that counts downloads of the whole image."""
        return self._stem + USES

    def piece(self, span: Span) -> str:
        return f"{self._stem}-{span.start:x}-{span.length:x}"


def image(image_id: str) -> str:
    """Return how the names of all files of an image begin.

    MariaDB, and so Glance, finds an id in any case.
    """
    return _hash(image_id.lower(), 8)


def is_ours(name: str) -> bool:
    """Whether a file is one of these, and not the operator's."""
    return _OURS.fullmatch(name) is not None


def is_uses(name: str) -> bool:
    """Whether a file counts downloads."""
    return name.endswith(USES)


def is_piece(name: str) -> bool:
    """Whether a file is a complete piece."""
    return _PIECE.fullmatch(name) is not None


def _hash(text: str, size: int) -> str:
    return hashlib.blake2b(text.encode(), digest_size=size).hexdigest()

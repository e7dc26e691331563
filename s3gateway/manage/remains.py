# SPDX-License-Identifier: Apache-2.0
"""Something that an upload left in a bucket, and the image that it is of."""

from __future__ import annotations

import dataclasses

from s3gateway import uris
from s3gateway.upload import claims
from s3gateway.upload.claims import Attempt


@dataclasses.dataclass(frozen=True)
class Leftover:
    """Something that an upload left behind.

    :ivar kind: ``claim``, ``upload``, ``object`` or ``image``; the key is its id then
    :ivar age: in seconds
    :ivar size: in bytes, ``None`` if that is not known or there is no data
    """

    kind: str
    attempt: Attempt
    age: float
    size: int | None = None

    @property
    def image_id(self) -> str:
        """The id, in lower case whatever its spelling is."""
        return spelled(self.attempt.key).lower()


def spelled(key: str) -> str:
    """Return the image id that the key of an object or a claim begins with."""
    return uris.image_id_of(key.removeprefix(claims.PREFIX))

# SPDX-License-Identifier: Apache-2.0
"""The digest of an image, checked while it is downloaded."""

from __future__ import annotations

from s3gateway.errors import ObjectNotFound
from s3gateway.streams.digests import Digests

_MOST_WAITING = 16 * 1024**2  # bytes


class Verification:
    """Takes in all bytes of an image and judges them with the last ones.

    :param size: of the image in bytes
    :param expected: the digest in hexadecimal
    """

    def __init__(self, size: int, algorithm: str, expected: str) -> None:
        self._size = size
        self._fed = 0
        self._algorithm = algorithm
        self._expected = expected
        self._digests = Digests([algorithm])

    def feed(self, data: bytes) -> None:
        """Take in the next bytes.

        :raises ObjectNotFound: with the last ones, if the image is another one
        """
        self._digests.feed(memoryview(data))
        self._fed += len(data)
        self._digests.wait(self._fed - _MOST_WAITING)
        if self._fed < self._size:
            return
        found = self._digests.hexdigests()[self._algorithm]
        if found != self._expected:
            raise ObjectNotFound(
                f"The {self._algorithm} of the data is {found}, not {self._expected}"
            )

    def close(self) -> None:
        """Stop, whether all bytes came or not."""
        self._digests.close()

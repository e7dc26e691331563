# SPDX-License-Identifier: Apache-2.0
"""What a signed request says of its body: the payload's hash, and its checksum."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

from s3gateway.s3 import http as s3http
from s3gateway.s3 import metadata
from s3gateway.store import Buffers

NONE: Mapping[str, str] = MappingProxyType({})


@dataclasses.dataclass(frozen=True)
class Seal:
    """What is said of one body.

    :ivar payload: the sha256 in hexadecimal, or ``UNSIGNED``; empty for what the
        connection needs: none over TLS, the right one otherwise
    :ivar checksum: header fields; empty for those that the store's options want
    """

    payload: str = ""
    checksum: Mapping[str, str] = dataclasses.field(default_factory=dict)


#: What is said if nothing else is.
USUAL = Seal()


def by_crc32(data: Buffers) -> Seal:
    """Return what vouches for a body by its CRC32 alone, which is signed."""
    return Seal(s3http.UNSIGNED, metadata.checksum(data))

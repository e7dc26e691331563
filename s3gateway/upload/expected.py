# SPDX-License-Identifier: Apache-2.0
"""Digests that the request or the image announces, and their check.

Pure functions.  An upload fails if its data has another digest.  That protects users of
``curl -d``, which drops line ends.
"""

from __future__ import annotations

import base64
import dataclasses
import re
from collections.abc import Iterator
from collections.abc import Mapping

from s3gateway.errors import DigestMismatch
from s3gateway.errors import RequestError
from s3gateway.glance.api import Image
from s3gateway.http.wsgi import Environ

MD5 = "md5"


@dataclasses.dataclass(frozen=True)
class Promise:
    """A digest that the data must have.

    :ivar where: the source of the digest, in words for the client
    :ivar digest: in hexadecimal, in lower case
    """

    where: str
    algorithm: str
    digest: str


def made(environ: Environ, image: Image) -> list[Promise]:
    """Return the digests that a request and its image announce.

    :raises RequestError: if the Content-MD5 header is malformed
    """
    return [*_of_request(environ), *_of_image(image)]


def check(promises: list[Promise], found: Mapping[str, str]) -> None:
    """Check the digests of what arrived.

    :param found: digests in hexadecimal, by algorithm
    :raises DigestMismatch: if one differs; the text names the first
    """
    for promise in promises:
        if found[promise.algorithm] != promise.digest:
            raise DigestMismatch(
                f"{promise.where} announces the {promise.algorithm} {promise.digest}, "
                f"but the uploaded data has {found[promise.algorithm]}"
            )


def _of_request(environ: Environ) -> Iterator[Promise]:
    value = environ.get("HTTP_CONTENT_MD5", "").strip()
    if value:
        yield Promise("The Content-MD5 header", MD5, _md5(value))


def _of_image(image: Image) -> Iterator[Promise]:
    # Not properties such as owner_specified.openstack.md5: Nova's snapshots and
    # Cinder's uploads inherit them from another image.
    if image.checksum:
        yield Promise("The image's checksum", MD5, image.checksum)
    if image.os_hash_value and image.os_hash_algo:
        yield Promise(
            "The image's os_hash_value", image.os_hash_algo, image.os_hash_value
        )


def _md5(value: str) -> str:
    """Return an MD5 in hexadecimal, from base64 (RFC 1864) or hexadecimal (Glance)."""
    if re.fullmatch("[0-9a-fA-F]{32}", value):
        return value.lower()
    try:
        digest = base64.b64decode(value, validate=True)
    except ValueError:  # binascii.Error is one
        digest = b""
    if len(digest) != 16:
        raise RequestError(
            "Content-MD5 is not an MD5. Send it in base64 (RFC 1864) or hexadecimal."
        )
    return digest.hex()

# SPDX-License-Identifier: Apache-2.0
"""What the client said its data would be, before it sent it.

Pure functions.  An upload whose bytes are not what was promised fails loudly: it is
what saves whoever sends an image with ``curl -d``, which drops line ends.
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

    :ivar where: what made the promise, in words for the client
    :ivar digest: in hexadecimal, in lower case
    """

    where: str
    algorithm: str
    digest: str


def made(environ: Environ, image: Image) -> list[Promise]:
    """Return the promises that a request and its image make.

    :raises RequestError: if the Content-MD5 header is not one
    """
    return [*_of_request(environ), *_of_image(image)]


def check(promises: list[Promise], found: Mapping[str, str]) -> None:
    """Check the digests of what arrived.

    :param found: digests in hexadecimal, by algorithm
    :raises DigestMismatch: naming the first that is another than promised
    """
    for promise in promises:
        if found[promise.algorithm] != promise.digest:
            raise DigestMismatch(
                f"{promise.where} promises the {promise.algorithm} {promise.digest}, "
                f"but that of the uploaded data is {found[promise.algorithm]}"
            )


def _of_request(environ: Environ) -> Iterator[Promise]:
    value = environ.get("HTTP_CONTENT_MD5", "").strip()
    if value:
        yield Promise("The Content-MD5 header", MD5, _md5(value))


def _of_image(image: Image) -> Iterator[Promise]:
    # Not owner_specified.openstack.md5 and its like: Nova's snapshots and Cinder's
    # uploads inherit them from the image that once was uploaded with them.
    if image.checksum:
        yield Promise("The image's checksum", MD5, image.checksum)
    if image.os_hash_value and image.os_hash_algo:
        yield Promise(
            "The image's os_hash_value", image.os_hash_algo, image.os_hash_value
        )


def _md5(value: str) -> str:
    """Return an MD5 in hexadecimal; RFC 1864 has base64, Glance hexadecimal."""
    if re.fullmatch("[0-9a-fA-F]{32}", value):
        return value.lower()
    try:
        digest = base64.b64decode(value, validate=True)
    except ValueError:  # binascii.Error is one
        digest = b""
    if len(digest) != 16:
        raise RequestError(
            "Content-MD5 is not an MD5, in base64 as in RFC 1864 or in hexadecimal."
        )
    return digest.hex()

# SPDX-License-Identifier: Apache-2.0
r"""The grammar of S3 location URIs; no other module parses one.

Glance stores this form (``glance_store/_drivers/s3.py``).  glance_store up to 5.5
writes it with the credentials, 5.6 and later without them::

    s3+https :// AKIA...:secret/key @ s3.example.com:9000/base / glance / 6f2c...
    \______/     \___/  \________/   \______________________/   \____/   \_____/
     scheme   access key  secret key            service          bucket    key

``s3`` and ``s3+http`` are plain http, ``s3+https`` is https.  Nothing is
percent-encoded.  The secret key may hold ``/ + = @ :``, the service a path, so
a URI is read from its end: the key and the bucket hold no ``/``, the service no
``@`` and the access key no ``:``.

Users see this form, which names no host, no bucket and no credential::

    s3 :// fast / 6f2c...
           \__/   \_____/
          store   image id
"""

from __future__ import annotations

import dataclasses
import functools
import re
import secrets

SCHEMES = ("s3", "s3+http", "s3+https")

_UUID = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_OUR_KEY = re.compile(r"[0-9a-fA-F-]{36}\.[0-9a-f]{16}")
_IMAGE_KEY = re.compile(_UUID + r"(?:\.[0-9a-f]{16})?")
_AN_ID = "00000000-0000-4000-8000-000000000000"
_STORE = r"[^/@:\s{}]+"


@dataclasses.dataclass(frozen=True, kw_only=True)
class StoredURI:
    """A location URI as Glance stores it; the keys are empty if it has none."""

    scheme: str
    service: str
    bucket: str
    key: str
    access_key: str = ""
    secret_key: str = dataclasses.field(default="", repr=False)

    def __str__(self) -> str:
        user = f"{self.access_key}:{self.secret_key}@" if self.access_key else ""
        return f"{self.scheme}://{user}{self.service}/{self.bucket}/{self.key}"

    def without_credentials(self) -> StoredURI:
        """Return the same location as glance_store 5.6 and later write it."""
        return dataclasses.replace(self, access_key="", secret_key="")


def service_of(url: str) -> str:
    """Return an endpoint's URL without its scheme, as location URIs hold it."""
    return url.partition("://")[2]


def scheme_of(url: str) -> str:
    """Return the scheme in lower case, or an empty string if there is none."""
    scheme, separator, _ = url.partition("://")
    return scheme.strip().lower() if separator else ""


def is_s3(url: object) -> bool:
    """Whether Glance would give this URL to its S3 driver."""
    return isinstance(url, str) and scheme_of(url) in SCHEMES


def try_parse(url: str) -> StoredURI | None:
    """Parse a location URI; ``None`` if it is not an S3 one of Glance's."""
    scheme = scheme_of(url)
    rest = url.partition("://")[2].strip("/")
    authority, _, key = rest.rpartition("/")
    authority, _, bucket = authority.rpartition("/")
    user, _, service = authority.rpartition("@")
    access_key, _, secret_key = user.partition(":")
    if scheme not in SCHEMES or not (service.strip("/") and bucket and key):
        return None
    return StoredURI(
        scheme=scheme,
        service=service.strip("/"),
        bucket=bucket,
        key=key,
        access_key=access_key,
        secret_key=secret_key,
    )


def image_id_of(key: str) -> str:
    """Return the image id at the start of a key, or an empty string.

    A key of Glance's own is an image id; one of ours has a nonce behind it.
    """
    match = re.match(_UUID, key)
    return match.group() if match else ""


def new_key(image_id: str) -> str:
    """Return a key for an image's data that no other upload or copy has."""
    return f"{image_id}.{secrets.token_hex(8)}"


def is_ours(key: str) -> bool:
    """Whether a key has the form of ``new_key``; the id may be spelled in any way."""
    return _OUR_KEY.fullmatch(key) is not None


def is_image_key(key: str) -> bool:
    """Whether a key is an image id, as Glance's driver makes it, or one of ours."""
    return _IMAGE_KEY.fullmatch(key) is not None


@dataclasses.dataclass(frozen=True)
class Mask:
    """The URL that users see in place of a location URI.

    :param form: a URL with ``{store}`` and ``{image_id}`` in it
    :raises ValueError: if its URLs could be taken for other ones
    """

    form: str = "s3://{store}/{image_id}"

    def __post_init__(self) -> None:
        if not all(self.form.count(name) == 1 for name in ("{store}", "{image_id}")):
            raise ValueError("it must hold {store} and {image_id}, each of them once")
        example = self.url("fast", _AN_ID)
        if not is_s3(example) or self.parse(example) != ("fast", _AN_ID):
            raise ValueError("it must begin with s3:// and make URLs without spaces")
        if try_parse(example) is not None:
            raise ValueError("it would look like a location URI of Glance's own")

    def url(self, store: str, image_id: str) -> str:
        """Return what users see for an image in a store."""
        return self.form.replace("{store}", store).replace("{image_id}", image_id)

    def parse(self, url: str) -> tuple[str, str] | None:
        """Return the store and the image id of a masked URL, ``None`` for others."""
        match = self._pattern.fullmatch(url)
        return (match["store"], match["image_id"]) if match else None

    @functools.cached_property
    def _pattern(self) -> re.Pattern[str]:
        pattern = re.escape(self.form)
        pattern = pattern.replace(r"\{store\}", f"(?P<store>{_STORE})", 1)
        pattern = pattern.replace(r"\{image_id\}", f"(?P<image_id>{_UUID})", 1)
        return re.compile(pattern)

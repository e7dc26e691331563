# SPDX-License-Identifier: Apache-2.0
"""Reads and checks the section of an S3 store.

No other modules but ``credentials`` and ``endpoints`` read an ``s3_store_*`` option.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import re
import ssl
from typing import Any

from oslo_config import cfg

from s3gateway import uris
from s3gateway.config import credentials
from s3gateway.config.endpoints import endpoint
from s3gateway.config.face import FaceSettings
from s3gateway.config.keys import Chain
from s3gateway.config.keys import KeyPair
from s3gateway.config.keys import Keys
from s3gateway.errors import ConfigError

MIB = 1024**2
MIN_PART_SIZE = 5 * MIB
ADDRESSING_STYLES = ("auto", "virtual", "path")

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET_AS_HOST = re.compile(r"[a-z0-9][a-z0-9-]*(\.[a-z0-9-]+)*(?<!-)")
_STORAGE_CLASS = re.compile(r"[A-Z0-9_-]*")
_NOT_AT_ONCE = ("GLACIER", "DEEP_ARCHIVE")
# What botocore accepts (botocore.utils.validate_region_name).
_REGION = re.compile(r"(?![0-9]+$)(?!-)[A-Za-z0-9-]{1,63}(?<!-)")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Writing:
    """Encryption, storage class and metadata of new objects; empty for none.

    :param encryption: ``AES256`` or ``aws:kms``
    :param kms_key: the id of a KMS key
    :param storage_class: of images
    :param metadata: whether objects carry the image's id and hash
    :param glance_id: of the Glance that all objects belong to
    """

    encryption: str = ""
    kms_key: str = ""
    storage_class: str = ""
    metadata: bool = False
    glance_id: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class StoreSettings:
    """One S3 store, as its section of Glance's configuration describes it.

    Sizes are in bytes.  ``endpoint`` is a URL without a trailing slash.

    :param keys: the configured keys.  They are in locations where Glance needs that,
        unless there is a face, and sign requests, unless there is a chain
    :param chain: finds the keys that sign requests
    :param face: where Glance finds the store; ``None`` if at the endpoint
    """

    name: str
    endpoint: str
    region: str
    keys: Keys = dataclasses.field(repr=False, compare=False)
    bucket: str
    create_bucket: bool
    addressing: str
    large_object_size: int
    part_size: int
    max_parts_in_flight: int
    cacert: str
    request_checksums: str
    writing: Writing = Writing()
    equal_parts: bool = False
    unsigned_payload: bool = False
    chain: Chain | None = dataclasses.field(default=None, repr=False, compare=False)
    face: FaceSettings | None = None

    @property
    def url(self) -> str:
        """The URL at which Glance finds the store: the endpoint's or the face's."""
        return self.endpoint if self.face is None else self.face.url

    @property
    def service(self) -> str:
        """That URL without its scheme, as location URIs hold it."""
        return uris.service_of(self.url)

    def signing_keys(self) -> list[KeyPair]:
        """Return the keys of S3, as far as a chain has found them."""
        return self.chain.used() if self.chain else [self.keys.current()]

    def known_keys(self) -> list[KeyPair]:
        """Return all keys that no answer may show: S3's, the chain's and the face's."""
        return [
            self.keys.current(),
            *(self.chain.used() if self.chain else ()),
            *(self.face.keys.all() if self.face else ()),
        ]

    @property
    def scheme(self) -> str:
        """The scheme of the store's location URIs, ``s3`` or ``s3+https``."""
        return "s3+https" if self.url.startswith("https:") else "s3"

    @property
    def location_keys(self) -> KeyPair:
        """The keys in location URIs, where they hold keys."""
        return (self.keys if self.face is None else self.face.keys).current()

    def has(self, service: str, bucket: str) -> bool:
        """Whether a location URI with this service and bucket is of the store."""
        return service in self.services and bucket == self.bucket

    @property
    def services(self) -> frozenset[str]:
        """The services in location URIs, from before and after sealing."""
        return frozenset({self.service, uris.service_of(self.endpoint)})


class Section:
    """The values of a section; reading one that does not parse is a ``ConfigError``."""

    def __init__(self, name: str, *groups: Any) -> None:
        self.name = name
        self._groups = groups

    def __getitem__(self, option: str) -> Any:
        for group in self._groups:
            try:
                value = getattr(group, option)
            except cfg.ConfigFileValueError as error:
                # The text quotes the value, which is never a secret: only numbers,
                # booleans and choices can fail to parse.
                raise ConfigError(self.name, option, str(error)) from error
            if value is not None:
                return value
        return None

    def required(self, option: str, meaning: str) -> str:
        value: str | None = self[option]
        if not value:
            raise ConfigError(self.name, option, f"not set; set it to {meaning}")
        return value


def read_store(
    name: str, section: Section, ours: Section, glance_id: str = ""
) -> StoreSettings:
    """Read and check the section of the S3 store with this identifier.

    :param ours: the section ``[s3gateway]``
    :param glance_id: of the Glance that new objects belong to
    :raises ConfigError: if the store cannot be used
    """
    protected = section["s3_store_enable_data_integrity_protection"]
    request_checksums = section["s3_store_request_checksum_calculation"]
    addressing = _addressing(section)
    return StoreSettings(
        name=name,
        endpoint=endpoint(section),
        region=_region(section),
        keys=credentials.keys(name, section, ours),
        chain=credentials.chain(section),
        bucket=_bucket(section, addressing),
        create_bucket=section["s3_store_create_bucket_on_put"],
        addressing=addressing,
        large_object_size=section["s3_store_large_object_size"] * MIB,
        part_size=_part_size(section),
        max_parts_in_flight=_max_parts_in_flight(section),
        cacert=_cacert(section),
        request_checksums=request_checksums if protected else "when_required",
        writing=_writing(section, glance_id),
        equal_parts=section["s3_store_equal_parts"],
        unsigned_payload=section["s3_store_unsigned_payload"],
    )


def _region(section: Section) -> str:
    region: str = section["s3_store_region_name"] or ""
    if region and not _REGION.fullmatch(region):
        raise ConfigError(
            section.name,
            "s3_store_region_name",
            f"{region!r} has characters that boto3 does not accept; use letters, "
            "digits and hyphens, or leave the option out",
        )
    return region


def _cacert(section: Section) -> str:
    """Return the file of the CAs; it is read for https only."""
    path: str = section["s3_store_cacert"] or ""
    if path and endpoint(section).startswith("https:"):
        try:
            ssl.create_default_context(cafile=path)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise ConfigError(
                section.name,
                "s3_store_cacert",
                f"{path} is not a file of CA certificates in PEM format: {reason}",
            ) from error
    return path


def _addressing(section: Section) -> str:
    style: str = section["s3_store_bucket_url_format"]
    if style not in ADDRESSING_STYLES:
        raise ConfigError(
            section.name,
            "s3_store_bucket_url_format",
            f"{style!r} is not an addressing style; set one of "
            f"{', '.join(ADDRESSING_STYLES)}",
        )
    return style


def _bucket(section: Section, addressing: str) -> str:
    bucket = section.required("s3_store_bucket", "the bucket of the images")
    if addressing == "virtual" and not _can_be_host(bucket):
        raise ConfigError(
            section.name,
            "s3_store_bucket",
            f"{bucket!r} cannot be part of a host name, which "
            "s3_store_bucket_url_format = virtual needs; use path or auto",
        )
    return bucket


def _can_be_host(bucket: str) -> bool:
    try:
        ipaddress.ip_address(bucket)
    except ValueError:
        return 3 <= len(bucket) <= 63 and bool(_BUCKET_AS_HOST.fullmatch(bucket))
    return False


def _writing(section: Section, glance_id: str) -> Writing:
    encryption = section["s3_store_server_side_encryption"]
    kms_key = section["s3_store_kms_key_id"]
    storage_class = section["s3_store_storage_class"]
    if kms_key and encryption != "aws:kms":
        raise ConfigError(
            section.name,
            "s3_store_kms_key_id",
            "set without s3_store_server_side_encryption = aws:kms; set both or none",
        )
    if storage_class in _NOT_AT_ONCE or not _STORAGE_CLASS.fullmatch(storage_class):
        raise ConfigError(
            section.name,
            "s3_store_storage_class",
            f"objects of class {storage_class!r} cannot be read at once; use another",
        )
    return Writing(
        encryption=encryption,
        kms_key=kms_key,
        storage_class=storage_class,
        metadata=section["s3_store_object_metadata"],
        glance_id=glance_id,
    )


def _part_size(section: Section) -> int:
    size: int = section["s3_store_large_object_chunk_size"] * MIB
    if size < MIN_PART_SIZE:
        raise ConfigError(
            section.name,
            "s3_store_large_object_chunk_size",
            f"{size // MIB} MiB is too small; set 5 or more",
        )
    return size


def _max_parts_in_flight(section: Section) -> int:
    count: int = section["s3_store_thread_pools"]
    if count < 1:
        raise ConfigError(
            section.name,
            "s3_store_thread_pools",
            f"{count} is too small; set 1 or more",
        )
    return count

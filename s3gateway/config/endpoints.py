# SPDX-License-Identifier: Apache-2.0
"""Reads ``s3_store_host``: the URL of a store's S3 server.

Glance's own driver hands the option to boto3 as it is, and boto3 takes no endpoint
without a scheme.  A store that only the gateway could use would fill with images that
Glance cannot delete, so what the driver cannot use is refused.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from s3gateway.errors import ConfigError

if TYPE_CHECKING:
    from s3gateway.config.stores import Section

_ENDPOINT = re.compile(r"(https?)://([^/\s@?#]+(?:/[^\s@?#]*)?)")

#: Of these hosts the driver knows the region, and gives boto3 that in their place.
#: Source: glance_store._drivers.s3.get_s3_location, the same from 4.9 to 5.7
_REGIONS = (
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "ap-east-1",
    "ap-south-1",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eu-north-1",
    "sa-east-1",
)
_CHINESE_REGIONS = ("cn-north-1", "cn-northwest-1")
_HOSTS_WITH_REGION = frozenset({
    *(f"s3-{region}.amazonaws.com" for region in _REGIONS),
    *(f"s3-{region}.amazonaws.com.cn" for region in _CHINESE_REGIONS),
})  # fmt: skip


def endpoint(section: Section) -> str:
    """Return the URL of the S3 server, without a trailing slash.

    :raises ConfigError: if the option is not set, is no URL, or if Glance's own driver
        cannot use it
    """
    host = section.required("s3_store_host", "the URL of the S3 server")
    bare = "://" not in host
    match = _ENDPOINT.fullmatch((f"http://{host}" if bare else host).rstrip("/"))
    if match is None:
        raise ConfigError(
            section.name,
            "s3_store_host",
            "must be an http or https URL without user, query or fragment",
        )
    if bare and not _has_known_region(section, host):
        raise ConfigError(
            section.name,
            "s3_store_host",
            "has no scheme: Glance's own driver cannot use it, so images in this store "
            "could not be deleted; write http:// or https:// before it",
        )
    return match.group()


def _has_known_region(section: Section, host: str) -> bool:
    """Whether the driver gives boto3 a region in place of a host without a scheme."""
    name = re.sub(r"(:[0-9]+)?/?$", "", host)
    return name in _HOSTS_WITH_REGION and not section["s3_store_region_name"]
